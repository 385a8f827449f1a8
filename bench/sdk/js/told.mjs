// Prints what clients made of the answers: one JSON line a call.
//
//	NOECHO=http://127.0.0.1:8711 ASKED=http://127.0.0.1:9/asked node clients.mjs
//
// ASKED answers with the number of requests that have reached the model, so that
// a client that tries again is seen.
export const base = process.env.NOECHO;
export const key = "sk-of-nobody";
export const question = "What did you write to the customer?";
export const messages = [{ role: "user", content: question }];
export const tool = { name: "send_letter", description: "Sends a letter.", schema: { type: "object", properties: { text: { type: "string" } } } };

export const json = (v) => (v === undefined ? "" : typeof v === "string" ? v : JSON.stringify(v));

const asked = async () => Number(await (await fetch(process.env.ASKED)).text());

// call runs one call and prints what came of it: text, thinking, tool (arguments
// as JSON), finish, or the error the client threw.
async function call(api, model, how, run) {
  const before = await asked();
  const got = { text: "", thinking: "", tool: "", finish: "" };
  try {
    await run(got);
  } catch (err) {
    got.error = String(err?.message ?? err);
    got.status = err?.status ?? err?.statusCode ?? err?.status_code ?? err?.$metadata?.httpStatusCode ?? 0;
    got.name = err?.constructor?.name ?? "";
  }
  console.log(JSON.stringify({ api, model, how, asked: (await asked()) - before, ...got }));
}

// tell calls each API for each model, or for the models that it names.
export async function tell(apis) {
  for (const [api, client] of Object.entries(apis)) {
    for (const model of client.models ?? ["clean", "leak", "thinking", "tool"]) {
      await call(api, model, "whole", (got) => client.whole(model, got));
      await call(api, model, "stream", (got) => client.stream(model, got));
    }
  }
}
