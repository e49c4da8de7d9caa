// The page of `sigfft explore`: requests go to the server that the page came from, events come back as lines of JSON.
import { mount } from "./explorer.js";

function ask(request, onEvent) {
  const aborter = new AbortController();
  read(request, onEvent, aborter.signal).catch((error) => {
    if (!aborter.signal.aborted) {
      onEvent({ kind: "error", text: `no answer: ${error.message}. Does sigfft explore still run?` });
      onEvent({ kind: "end" });
    }
  });
  return () => aborter.abort();
}

async function read(request, onEvent, signal) {
  const response = await fetch("ask", { method: "POST", body: JSON.stringify(request), signal });
  if (!response.ok) throw new Error(await response.text());
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (signal.aborted) return;
    const lines = (rest + (value ?? "")).split("\n");
    rest = lines.pop();
    lines.forEach((line) => onEvent(JSON.parse(line)));
    if (done) return onEvent({ kind: "end" });
  }
}

mount(document.getElementById("explorer"), ask);
