"""Calls noecho with LangChain, unchanged but for its base URL. See told.py."""

import json

from langchain_anthropic import ChatAnthropic
from langchain_openai import ChatOpenAI

from told import BASE, KEY, QUESTION, tell

TOOL = {
    "name": "send_letter",
    "description": "Sends a letter.",
    "parameters": {"type": "object", "properties": {"text": {"type": "string"}}},
}


def read(message, got):
    for block in message.content_blocks:
        if block["type"] == "text":
            got.add(text=block["text"])
        elif block["type"] == "reasoning":
            got.add(thinking=block.get("reasoning"))
    for call in message.tool_calls:
        got.add(tool=json.dumps(call["args"]))
    about = message.response_metadata
    why = (about.get("incomplete_details") or {}).get("reason")
    got["finish"] = why or about.get("finish_reason") or about.get("stop_reason") or about.get("status")


def calls(chat):
    def whole(model, got):
        read(chat(model).bind_tools([TOOL]).invoke(QUESTION), got)

    def stream(model, got):
        message = None
        for chunk in chat(model).bind_tools([TOOL]).stream(QUESTION):
            message = chunk if message is None else message + chunk
        read(message, got)

    return whole, stream


def chat(model):
    return ChatOpenAI(base_url=BASE + "/v1", api_key=KEY, model=model, stream_usage=True)


def response(model):
    return ChatOpenAI(base_url=BASE + "/v1", api_key=KEY, model=model, use_responses_api=True)


def message(model):
    return ChatAnthropic(base_url=BASE, api_key=KEY, model=model)


# LangChain has no place for the reasoning of Chat Completions.
tell({"langchain.chat": calls(chat)}, models=("clean", "leak", "tool"))
tell({"langchain.responses": calls(response), "langchain.messages": calls(message)})
