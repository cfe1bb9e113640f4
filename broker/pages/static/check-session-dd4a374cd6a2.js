// Says to the page around this frame whether the session is still the one it knows (OpenID Connect Session Management 1.0 §3.2).
const name = document.querySelector("script").dataset.cookie;

const state = () => (document.cookie.split("; ").find((one) => one.startsWith(`${name}=`)) ?? "").slice(name.length + 1);

const hex = (bytes) => [...new Uint8Array(bytes)].map((byte) => byte.toString(16).padStart(2, "0")).join("");

async function answer(said, origin) {
  const [client, told, ...rest] = typeof said === "string" && said.length < 1000 ? said.split(" ") : [];
  const [, hash, salt] = /^([0-9a-f]{64})\.([A-Za-z0-9_-]+)$/.exec(told ?? "") ?? [];
  if (!client || !salt || rest.length) return "error";
  const text = new TextEncoder().encode([client, origin, state(), salt].join(" "));
  return hex(await crypto.subtle.digest("SHA-256", text)) === hash ? "unchanged" : "changed";
}

addEventListener("message", async (event) => {
  if (event.source === null || event.source === window || event.origin === "null") return;
  event.source.postMessage(await answer(event.data, event.origin), event.origin);
});
