"use strict";

// The page's own words. The language of an answer is the model's affair.
const WORDS = {
  en: {
    title: "AI Assistant",
    other: "中文",
    otherCode: "zh-CN",
    fresh: "New chat",
    welcome: "Ask me anything, in English or Chinese. Answers may be wrong: check what matters.",
    log: "Conversation",
    label: "Your message",
    placeholder: "Write a message",
    send: "Send",
    you: "You",
    assistant: "Assistant",
    thinking: "The assistant is writing…",
    busy: "Please wait for the answer to your earlier messages.",
    offline: "The server cannot be reached. Trying again…",
    failed: "Your message was not sent. Please try again.",
  },
  zh: {
    title: "智能助手",
    other: "English",
    otherCode: "en",
    fresh: "新对话",
    welcome: "有什么想问的？中文、英文都可以。回答可能有误，重要信息请自行核实。",
    log: "对话",
    label: "你的消息",
    placeholder: "输入消息",
    send: "发送",
    you: "你",
    assistant: "助手",
    thinking: "助手正在输入……",
    busy: "请等待前面的消息得到回答。",
    offline: "无法连接服务器，正在重试……",
    failed: "消息没有发送成功，请重试。",
  },
};
