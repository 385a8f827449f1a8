"""Calls noecho with the official Python clients, unchanged but for their base URL.
See told.py."""

import json

import anthropic
import ollama
import openai
from google import genai
from google.genai import types

from told import BASE, KEY, QUESTION, tell

MESSAGES = [{"role": "user", "content": QUESTION}]

openai_client = openai.OpenAI(base_url=BASE + "/v1", api_key=KEY)
anthropic_client = anthropic.Anthropic(base_url=BASE, api_key=KEY)
gemini_client = genai.Client(api_key=KEY, http_options=types.HttpOptions(base_url=BASE))
ollama_client = ollama.Client(host=BASE)


def chat_whole(model, got):
    choice = openai_client.chat.completions.create(model=model, messages=MESSAGES).choices[0]
    call = choice.message.tool_calls[0].function.arguments if choice.message.tool_calls else ""
    got.add(text=choice.message.content, thinking=getattr(choice.message, "reasoning_content", ""), tool=call)
    got["finish"] = choice.finish_reason


def chat_stream(model, got):
    for chunk in openai_client.chat.completions.create(model=model, messages=MESSAGES, stream=True):
        for choice in chunk.choices:
            call = choice.delta.tool_calls[0].function.arguments if choice.delta.tool_calls else ""
            got.add(text=choice.delta.content, thinking=getattr(choice.delta, "reasoning_content", ""), tool=call)
            got["finish"] = choice.finish_reason or got["finish"]


def read_response(response, got):
    got["finish"] = response.incomplete_details.reason if response.incomplete_details else response.status
    for item in response.output:
        if item.type == "message":
            got.add(text="".join(part.text for part in item.content))
        elif item.type == "reasoning":
            got.add(thinking="".join(part.text for part in item.summary))
        elif item.type == "function_call":
            got.add(tool=item.arguments)


def responses_whole(model, got):
    read_response(openai_client.responses.create(model=model, input=QUESTION), got)


def responses_stream(model, got):
    text = ""
    with openai_client.responses.stream(model=model, input=QUESTION) as stream:
        for event in stream:
            if event.type == "response.output_text.delta":
                text += event.delta
            if event.type in ("response.completed", "response.incomplete", "response.failed"):
                read_response(event.response, got)
    if text != got["text"]:
        raise ValueError("the deltas and the final response differ")


def read_message(message, got):
    got["finish"] = message.stop_reason
    for block in message.content:
        if block.type == "text":
            got.add(text=block.text)
        elif block.type == "thinking":
            got.add(thinking=block.thinking)
        elif block.type == "tool_use":
            got.add(tool=json.dumps(block.input))


def messages_whole(model, got):
    read_message(anthropic_client.messages.create(model=model, max_tokens=1000, messages=MESSAGES), got)


def messages_stream(model, got):
    with anthropic_client.messages.stream(model=model, max_tokens=1000, messages=MESSAGES) as stream:
        text = "".join(stream.text_stream)
        read_message(stream.get_final_message(), got)
    if text != got["text"]:
        raise ValueError("the deltas and the final message differ")


def read_gemini(answer, got):
    for candidate in answer.candidates or []:
        got["finish"] = candidate.finish_reason.value if candidate.finish_reason else got["finish"]
        for part in (candidate.content.parts if candidate.content else None) or []:
            if part.function_call:
                got.add(tool=json.dumps(part.function_call.args))
            elif part.thought:
                got.add(thinking=part.text)
            else:
                got.add(text=part.text)


def gemini_whole(model, got):
    read_gemini(gemini_client.models.generate_content(model=model, contents=QUESTION), got)


def gemini_stream(model, got):
    for chunk in gemini_client.models.generate_content_stream(model=model, contents=QUESTION):
        read_gemini(chunk, got)


def read_ollama_chat(line, got):
    got.add(text=line.message.content, thinking=line.message.thinking)
    for call in line.message.tool_calls or []:
        got.add(tool=json.dumps(dict(call.function.arguments)))
    got["finish"] = line.done_reason or got["finish"]


def ollama_chat_whole(model, got):
    read_ollama_chat(ollama_client.chat(model=model, messages=MESSAGES), got)


def ollama_chat_stream(model, got):
    for line in ollama_client.chat(model=model, messages=MESSAGES, stream=True):
        read_ollama_chat(line, got)


def read_ollama_generate(line, got):
    got.add(text=line.response, thinking=line.thinking)
    got["finish"] = line.done_reason or got["finish"]


def ollama_generate_whole(model, got):
    read_ollama_generate(ollama_client.generate(model=model, prompt=QUESTION), got)


def ollama_generate_stream(model, got):
    for line in ollama_client.generate(model=model, prompt=QUESTION, stream=True):
        read_ollama_generate(line, got)


tell({
    "openai.chat": (chat_whole, chat_stream),
    "openai.responses": (responses_whole, responses_stream),
    "anthropic.messages": (messages_whole, messages_stream),
    "gemini": (gemini_whole, gemini_stream),
    "ollama.chat": (ollama_chat_whole, ollama_chat_stream),
    "ollama.generate": (ollama_generate_whole, ollama_generate_stream),
})
