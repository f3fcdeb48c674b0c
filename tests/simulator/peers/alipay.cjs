// Alipay's own SDK for Node: does one thing asked as JSON on standard input and prints the result.
// It signs each request and checks the signature of each answer itself.
const fs = require("node:fs");
const path = require("node:path");

const { AlipaySdk } = require(path.join(process.argv[2], "node_modules", "alipay-sdk"));

const asked = JSON.parse(fs.readFileSync(0, "utf-8"));
const sdk = new AlipaySdk({
  appId: asked.settings.ALIPAY_APP_ID,
  privateKey: asked.settings.ALIPAY_PRIVATE_KEY.trim(),
  keyType: "PKCS8",
  alipayPublicKey: asked.settings.ALIPAY_PUBLIC_KEY.trim(),
  gateway: asked.settings.ALIPAY_API_BASE,
});

async function answer() {
  if (asked.action === "check") return sdk.checkNotifySignV2(asked.notice);
  const options = { bizContent: asked.biz, ...asked.more };
  if (asked.action === "page") return sdk.pageExecute(asked.method, "GET", options);
  return sdk.exec(asked.method, options, { validateSign: true });
}

answer().then(
  (result) => console.log(JSON.stringify({ result })),
  (error) => console.log(JSON.stringify({ error: error.message })),
);
