// Calls noecho with the Vercel AI SDK, by way of its providers. See told.mjs.
import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText, jsonSchema, streamText, tool as define } from "ai";
import { base, json, key, question, tell, tool } from "./told.mjs";

globalThis.AI_SDK_LOG_WARNINGS = false;

const settings = { baseURL: base + "/v1", apiKey: key };
const openai = createOpenAI(settings);
const compatible = createOpenAICompatible({ ...settings, name: "compatible", includeUsage: true });
const anthropic = createAnthropic(settings);
const tools = { [tool.name]: define({ description: tool.description, inputSchema: jsonSchema(tool.schema) }) };

const provider = (model) => ({
  async whole(name, got) {
    const a = await generateText({ model: model(name), prompt: question, tools });
    Object.assign(got, { text: a.text, thinking: a.reasoningText ?? "", tool: json(a.toolCalls[0]?.input), finish: a.finishReason });
  },
  // The SDK tells of an error in a part of the stream, and of the arguments of a
  // tool twice: in pieces and as one value.
  async stream(name, got) {
    let pieces = "";
    const a = streamText({ model: model(name), prompt: question, tools, onError() {} });
    for await (const part of a.fullStream) {
      if (part.type === "error") throw part.error;
      if (part.type === "text-delta") got.text += part.text;
      if (part.type === "reasoning-delta") got.thinking += part.text;
      if (part.type === "tool-input-delta") pieces += part.delta;
      if (part.type === "tool-call") got.tool += json(part.input);
      if (part.type === "finish") got.finish = part.finishReason;
    }
    if (got.tool && pieces !== got.tool) throw new Error(`deltas of the tool make ${pieces}, the call says ${got.tool}`);
  },
});

await tell({
  "vercel.chat": { ...provider((name) => openai.chat(name)), models: ["clean", "leak", "tool"] }, // it has no place for reasoning
  "vercel.responses": provider((name) => openai.responses(name)),
  "vercel.compatible": provider((name) => compatible(name)),
  "vercel.messages": provider((name) => anthropic(name)),
});
