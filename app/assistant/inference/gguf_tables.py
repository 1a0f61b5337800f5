"""Numbers and names that llama.cpp defines, as llama-cpp-python 0.3.36 carries it."""

MAX_NAME_BYTES = 63  # ggml.h, GGML_MAX_NAME with its final zero
MAX_BLOCKS = 512  # llama-hparams.h, LLAMA_MAX_LAYERS
MAX_EXPERTS = 1024  # llama-hparams.h, LLAMA_MAX_EXPERTS

# gguf.h, enum gguf_type: the types of metadata; the scalar ones as formats of struct.
STRING, ARRAY = 8, 9
SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}

# ggml.h, enum ggml_type, with ggml-common.h: number -> (name, elements a block, bytes a block).
TENSOR_TYPES = {
    0: ("F32", 1, 4),
    1: ("F16", 1, 2),
    2: ("Q4_0", 32, 18),
    3: ("Q4_1", 32, 20),
    6: ("Q5_0", 32, 22),
    7: ("Q5_1", 32, 24),
    8: ("Q8_0", 32, 34),
    9: ("Q8_1", 32, 36),
    10: ("Q2_K", 256, 84),
    11: ("Q3_K", 256, 110),
    12: ("Q4_K", 256, 144),
    13: ("Q5_K", 256, 176),
    14: ("Q6_K", 256, 210),
    15: ("Q8_K", 256, 292),
    16: ("IQ2_XXS", 256, 66),
    17: ("IQ2_XS", 256, 74),
    18: ("IQ3_XXS", 256, 98),
    19: ("IQ1_S", 256, 50),
    20: ("IQ4_NL", 32, 18),
    21: ("IQ3_S", 256, 110),
    22: ("IQ2_S", 256, 82),
    23: ("IQ4_XS", 256, 136),
    24: ("I8", 1, 1),
    25: ("I16", 1, 2),
    26: ("I32", 1, 4),
    27: ("I64", 1, 8),
    28: ("F64", 1, 8),
    29: ("IQ1_M", 256, 56),
    30: ("BF16", 1, 2),
    34: ("TQ1_0", 256, 54),
    35: ("TQ2_0", 256, 66),
    39: ("MXFP4", 32, 17),
    40: ("NVFP4", 64, 36),
    41: ("Q1_0", 128, 18),
    42: ("Q2_0", 64, 18),
}
# llama.h, enum llama_ftype: what general.file_type means.
FILE_TYPES = {
    0: "F32",
    1: "F16",
    2: "Q4_0",
    3: "Q4_1",
    7: "Q8_0",
    8: "Q5_0",
    9: "Q5_1",
    10: "Q2_K",
    11: "Q3_K_S",
    12: "Q3_K_M",
    13: "Q3_K_L",
    14: "Q4_K_S",
    15: "Q4_K_M",
    16: "Q5_K_S",
    17: "Q5_K_M",
    18: "Q6_K",
    19: "IQ2_XXS",
    20: "IQ2_XS",
    21: "Q2_K_S",
    22: "IQ3_XS",
    23: "IQ3_XXS",
    24: "IQ1_S",
    25: "IQ4_NL",
    26: "IQ3_S",
    27: "IQ3_M",
    28: "IQ2_S",
    29: "IQ2_M",
    30: "IQ4_XS",
    31: "IQ1_M",
    32: "BF16",
    36: "TQ1_0",
    37: "TQ2_0",
    38: "MXFP4_MOE",
    39: "NVFP4",
    40: "Q1_0",
    41: "Q2_0",
}
# ggml-cpu/repack.cpp, ggml_repack_get_optimal_repack_type: what a CPU with AVX2 has a second layout for; and
# ggml-cpu/amx/common.h, qtype_has_amx_kernels: what one with AMX has. The host is unknown: an upper bound.
REPACKED_TYPES = {"Q4_0", "Q4_K", "Q2_K", "IQ4_NL", "MXFP4"} | {"Q4_1", "Q8_0", "Q5_K", "Q6_K", "IQ4_XS"}

# Numbers that the arithmetic rests on; ggml aborts on a negative epsilon (ggml-cpu/ops.cpp).
FINITE = (
    "attention.layer_norm_epsilon",
    "attention.layer_norm_rms_epsilon",
    "attention.group_norm_epsilon",
    "rope.freq_base",
)

# llama-model.cpp, LLAMA_ROPE_SCALING_TYPES; it aborts on any other.
ROPE_SCALINGS = ("none", "linear", "yarn", "longrope")
# src/llama-arch.cpp, LLM_ARCH_NAMES, less those below: decoders that keep keys and values and write text from
# left to right. These can be served.
_SERVED = """
afmoe apertus arcee arctic baichuan bailingmoe bailingmoe2 bitnet bloom chameleon chatglm codeshell cogvlm
cohere2 cohere2moe command-r dbrx deci deepseek deepseek2 deepseek2-ocr deepseek32 dots1 dots3note
ernie4_5 ernie4_5-moe exaone exaone-moe exaone4 falcon gemma gemma2 gemma3 gemma3n gemma4 glm-dsa glm4
glm4moe gpt-oss gpt2 gptj gptneox granite granite_swa granitemoe graniteswitch grok grovemoe hrm_text
hunyuan-dense hunyuan-moe hunyuan_vl hy_v3 hy_v4 internlm2 jais jais2 laguna llama llama4 maincoder maple
mellum mimo2 minicpm minicpm3 minimax-m2 minimax-m3 mistral3 mistral4 mpt muse-glimmer nanbeige nemotron
olmo olmo2 olmoe openelm orion paddleocr pangu-embedded phi2 phi3 phimoe plamo plamo3 plm qwen qwen2
qwen2moe qwen2vl qwen3 qwen3moe qwen3vl qwen3vlmoe refact seed_oss smallthinker smollm3 spark2_5 stablelm
starcoder starcoder2 step35 talkie xverse
"""
# The same file's llm_arch_is_recurrent and llm_arch_is_hybrid.
_RECURRENT = """
arwkv7 bailingmoe3 deepseek4 falcon-h1 glm5-next granitehybrid jamba kimi-k3 kimi-linear lfm2 lfm2moe
mamba mamba2 minimax-01 nemotron_h nemotron_h_moe plamo2 qwen35 qwen35moe qwen3next qwen4exp rwkv6
rwkv6qwen2 rwkv7
"""
# Its llm_arch_is_diffusion, and what encodes, embeds or speaks.
_NO_WRITERS = """
bert clip dream eurobert gemma-embedding jina-bert-v2 jina-bert-v3 llada llada-moe llama-embed modern-bert
neo-bert nomic-bert nomic-bert-moe pockettts qwen3tts rnd1 t5 t5encoder wavtokenizer-dec
"""
ARCHITECTURES = frozenset(_SERVED.split())
# Why the others are refused.
UNSERVED = {
    "keeps a recurrent state, which cannot be cut back and shared between conversations": _RECURRENT.split(),
    "does not write text from left to right": _NO_WRITERS.split(),
    "is a helper that drafts for another model": ["gemma4-assistant", "eagle3", "dflash"],
}
