// Makes a container in Azurite: node azure_container.mjs PORT ACCOUNT KEY CONTAINER
// The engine's client makes none, and Azurite starts without any. The request is signed as
// https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key says.
import { createHmac } from "node:crypto";

const [port, account, key, container] = process.argv.slice(2);
const [date, version] = [new Date().toUTCString(), "2021-12-02"];
const headers = `x-ms-date:${date}\nx-ms-version:${version}\n`;
const resource = `/${account}/${account}/${container}\nrestype:container`;
// The method, and eleven headers that are not sent.
const text = "PUT" + "\n".repeat(12) + headers + resource;
const signature = createHmac("sha256", Buffer.from(key, "base64")).update(text, "utf8").digest("base64");
const reply = await fetch(`http://127.0.0.1:${port}/${account}/${container}?restype=container`, {
  method: "PUT",
  headers: { "x-ms-date": date, "x-ms-version": version, authorization: `SharedKey ${account}:${signature}` },
});
if (reply.status !== 201) {
  console.error(reply.status, await reply.text());
  process.exit(1);
}
