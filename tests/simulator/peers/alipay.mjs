// Alipay's own SDK for Node, driven by one JSON object on stdin; the result is JSON on stdout.
import { readFileSync } from "node:fs";
import { AlipaySdk } from "alipay-sdk";

const asked = JSON.parse(readFileSync(0, "utf8"));
const sdk = new AlipaySdk({
  appId: asked.settings.ALIPAY_APP_ID,
  privateKey: asked.settings.ALIPAY_PRIVATE_KEY.trim(),
  keyType: "PKCS8",
  alipayPublicKey: asked.settings.ALIPAY_PUBLIC_KEY.trim(),
  gateway: asked.settings.ALIPAY_API_BASE,
});

async function answer() {
  if (asked.action === "check") return sdk.checkNotifySignV2(asked.notice);
  if (asked.action === "page") return sdk.pageExecute(asked.method, "GET", { bizContent: asked.biz, ...asked.more });
  return sdk.exec(asked.method, { bizContent: asked.biz, ...asked.more }, { validateSign: true });
}

try {
  console.log(JSON.stringify({ result: await answer() }));
} catch (error) {
  console.log(JSON.stringify({ error: error.message }));
}
