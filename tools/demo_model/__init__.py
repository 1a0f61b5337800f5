"""The demonstration model: trained here from scratch on the questions and answers in this folder."""
