// Calls noecho with the official JavaScript clients, unchanged but for their base
// URL. See told.mjs.
import Anthropic from "@anthropic-ai/sdk";
import { BedrockRuntimeClient, ConverseCommand, ConverseStreamCommand } from "@aws-sdk/client-bedrock-runtime";
import { GoogleGenAI } from "@google/genai";
import { Mistral } from "@mistralai/mistralai";
import { NodeHttpHandler } from "@smithy/node-http-handler";
import { CohereClientV2 } from "cohere-ai";
import { Ollama } from "ollama";
import OpenAI from "openai";
import { base, json, key, messages, question, tell, tool } from "./told.mjs";

const openai = new OpenAI({ baseURL: base + "/v1", apiKey: key });
const anthropic = new Anthropic({ baseURL: base, apiKey: key });
const gemini = new GoogleGenAI({ apiKey: key, httpOptions: { baseUrl: base } });
const mistral = new Mistral({ apiKey: key, serverURL: base });
const cohere = new CohereClientV2({ token: key, environment: base });
const ollama = new Ollama({ host: base });
const bedrock = new BedrockRuntimeClient({
  region: "us-east-1",
  endpoint: base,
  token: { token: key },
  authSchemePreference: ["httpBearerAuth"],
  requestHandler: new NodeHttpHandler(), // the default speaks HTTP/2
});

const chatTool = [{ type: "function", function: { name: tool.name, description: tool.description, parameters: tool.schema } }];

const apis = {
  "openai.chat": {
    async whole(model, got) {
      const a = await openai.chat.completions.create({ model, messages, tools: chatTool });
      const { message, finish_reason } = a.choices[0];
      Object.assign(got, { text: message.content ?? "", thinking: message.reasoning_content ?? "", tool: message.tool_calls?.[0]?.function.arguments ?? "", finish: finish_reason });
    },
    async stream(model, got) {
      const helper = openai.chat.completions.stream({ model, messages, tools: chatTool });
      for await (const chunk of helper) {
        const choice = chunk.choices[0];
        got.text += choice?.delta?.content ?? "";
        got.thinking += choice?.delta?.reasoning_content ?? "";
        got.tool += choice?.delta?.tool_calls?.[0]?.function?.arguments ?? "";
        got.finish = choice?.finish_reason ?? got.finish;
      }
    },
  },
  "openai.responses": {
    read(r, got) {
      got.finish = r.incomplete_details?.reason ?? r.status;
      for (const item of r.output) {
        if (item.type === "message") got.text += item.content.map((c) => c.text ?? "").join("");
        if (item.type === "reasoning") got.thinking += item.summary.map((c) => c.text).join("");
        if (item.type === "function_call") got.tool += item.arguments;
      }
    },
    async whole(model, got) {
      this.read(await openai.responses.create({ model, input: question }), got);
    },
    async stream(model, got) {
      const seen = { text: "", thinking: "", tool: "" };
      const helper = openai.responses.stream({ model, input: question });
      for await (const e of helper) {
        if (e.type === "response.output_text.delta") seen.text += e.delta;
        if (e.type === "response.reasoning_summary_text.delta") seen.thinking += e.delta;
        if (e.type === "response.function_call_arguments.delta") seen.tool += e.delta;
      }
      this.read(await helper.finalResponse(), got);
      for (const member of ["text", "thinking", "tool"]) {
        if (seen[member] !== got[member]) throw new Error(`deltas of ${member} make ${seen[member]}, the final response says ${got[member]}`);
      }
    },
  },
  "anthropic.messages": {
    read(m, got) {
      got.finish = m.stop_reason;
      for (const b of m.content) {
        if (b.type === "text") got.text += b.text;
        if (b.type === "thinking") got.thinking += b.thinking;
        if (b.type === "tool_use") got.tool += json(b.input);
      }
    },
    request: (model) => ({ model, max_tokens: 1000, messages, tools: [{ name: tool.name, description: tool.description, input_schema: tool.schema }] }),
    async whole(model, got) {
      this.read(await anthropic.messages.create(this.request(model)), got);
    },
    async stream(model, got) {
      const helper = anthropic.messages.stream(this.request(model));
      let text = "";
      helper.on("text", (piece) => (text += piece));
      this.read(await helper.finalMessage(), got);
      if (text !== got.text) throw new Error(`deltas make ${text}, the message says ${got.text}`);
    },
  },
  "gemini": {
    read(r, got) {
      const c = r.candidates?.[0];
      got.finish = c?.finishReason ?? got.finish;
      for (const p of c?.content?.parts ?? []) {
        if (p.functionCall) got.tool += json(p.functionCall.args);
        else if (p.thought) got.thinking += p.text;
        else got.text += p.text ?? "";
      }
    },
    async whole(model, got) {
      this.read(await gemini.models.generateContent({ model, contents: question }), got);
    },
    async stream(model, got) {
      const chat = gemini.chats.create({ model });
      for await (const chunk of await chat.sendMessageStream({ message: question })) this.read(chunk, got);
      if (got.finish === "STOP" && !chat.getHistory(true).some((turn) => turn.role === "model")) throw new Error("the chat forgot the answer: it was not valid");
    },
  },
  "mistral.chat": {
    models: ["clean", "leak"], // its calls of tools come whole, its thinking in parts
    async whole(model, got) {
      const a = await mistral.chat.complete({ model, messages });
      const { message, finishReason } = a.choices[0];
      Object.assign(got, { text: json(message.content ?? ""), tool: json(message.toolCalls?.[0]?.function.arguments), finish: finishReason });
    },
    async stream(model, got) {
      for await (const { data } of await mistral.chat.stream({ model, messages })) {
        const choice = data.choices[0];
        got.text += choice?.delta?.content ?? "";
        got.tool += choice?.delta?.toolCalls?.[0]?.function?.arguments ?? "";
        got.finish = choice?.finishReason ?? got.finish;
      }
    },
  },
  "cohere.chat": {
    async whole(model, got) {
      const a = await cohere.chat({ model, messages });
      got.finish = a.finishReason;
      for (const c of a.message.content ?? []) {
        got.text += c.text ?? "";
        got.thinking += c.thinking ?? "";
      }
      got.tool = a.message.toolCalls?.[0]?.function?.arguments ?? "";
    },
    async stream(model, got) {
      for await (const e of await cohere.chatStream({ model, messages })) {
        if (e.type === "content-delta") {
          got.text += e.delta?.message?.content?.text ?? "";
          got.thinking += e.delta?.message?.content?.thinking ?? "";
        }
        if (e.type === "tool-call-delta") got.tool += e.delta?.message?.toolCalls?.function?.arguments ?? "";
        if (e.type === "message-end") got.finish = e.delta?.finishReason;
      }
    },
  },
  "ollama.chat": {
    read(a, got) {
      got.text += a.message.content ?? "";
      got.thinking += a.message.thinking ?? "";
      for (const c of a.message.tool_calls ?? []) got.tool += json(c.function.arguments);
      got.finish = a.done_reason ?? got.finish;
    },
    async whole(model, got) {
      this.read(await ollama.chat({ model, messages }), got);
    },
    async stream(model, got) {
      for await (const line of await ollama.chat({ model, messages, stream: true })) this.read(line, got);
    },
  },
  "ollama.generate": {
    read(a, got) {
      got.text += a.response ?? "";
      got.thinking += a.thinking ?? "";
      got.finish = a.done_reason ?? got.finish;
    },
    async whole(model, got) {
      this.read(await ollama.generate({ model, prompt: question }), got);
    },
    async stream(model, got) {
      for await (const line of await ollama.generate({ model, prompt: question, stream: true })) this.read(line, got);
    },
  },
  "bedrock.converse": {
    ask: (model) => ({ modelId: model, messages: [{ role: "user", content: [{ text: question }] }] }),
    async whole(model, got) {
      const a = await bedrock.send(new ConverseCommand(this.ask(model)));
      got.finish = a.stopReason;
      for (const b of a.output.message.content) {
        got.text += b.text ?? "";
        got.thinking += b.reasoningContent?.reasoningText?.text ?? "";
        got.tool += json(b.toolUse?.input);
      }
    },
    async stream(model, got) {
      const a = await bedrock.send(new ConverseStreamCommand(this.ask(model)));
      for await (const e of a.stream) {
        const d = e.contentBlockDelta?.delta;
        got.text += d?.text ?? "";
        got.thinking += d?.reasoningContent?.text ?? "";
        got.tool += d?.toolUse?.input ?? "";
        got.finish = e.messageStop?.stopReason ?? got.finish;
      }
    },
  },
};

await tell(apis);
