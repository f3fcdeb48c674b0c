// A second merchant, by npm's wechatpay-axios-plugin: does one step and prints what came of it.
// Reads {step, settings, ...} as JSON from standard input. The plugin signs each request and
// checks each answer itself; it throws when a signature does not fit.
const fs = require("node:fs");
const path = require("node:path");

const modules = path.join(process.argv[2], "node_modules");
const { Aes, Formatter, Rsa, Wechatpay } = require(path.join(modules, "wechatpay-axios-plugin"));
const axios = require(path.join(modules, "axios"));

const input = JSON.parse(fs.readFileSync(0, "utf-8"));
const settings = input.settings;
const certs = input.certs;

const base = new URL(settings.WECHATPAY_API_BASE);
const send = axios.getAdapter("http");
const client = new Wechatpay({
  mchid: settings.WECHATPAY_MCHID,
  serial: settings.WECHATPAY_CERT_SERIAL,
  privateKey: settings.WECHATPAY_PRIVATE_KEY,
  certs,
  baseURL: base.origin,
  proxy: false,
  // What is signed is the real platform's path; the simulator has it behind a prefix.
  adapter: (config) => send({ ...config, baseURL: base.href.replace(/\/$/, ""), allowAbsoluteUrls: false }),
  headers: input.serial ? { "Wechatpay-Serial": input.serial } : {},
});

const steps = {
  async order() {
    const answer = await client.v3.pay.transactions[input.kind].post(input.form);
    return answer.data;
  },
  async refund() {
    const answer = await client.v3.refund.domestic.refunds.post(input.form);
    return answer.data;
  },
  async bill() {
    const answer = await client.v3.bill.tradebill.get({ params: input.params });
    const token = new URL(answer.data.download_url).searchParams.get("token");
    const file = await client.v3.billdownload.file.get({
      params: { token },
      responseType: "arraybuffer",
    });
    return { ...answer.data, file: Buffer.from(file.data).toString("base64") };
  },
  async callback() {
    const { headers, body } = input;
    const key = certs[headers["Wechatpay-Serial"]];
    const message = Formatter.response(
      headers["Wechatpay-Timestamp"], headers["Wechatpay-Nonce"], body,
    );
    if (!key || !Rsa.verify(message, headers["Wechatpay-Signature"], key)) {
      return { verified: false };
    }
    const sealed = JSON.parse(body).resource;
    const plain = Aes.AesGcm.decrypt(
      sealed.ciphertext, settings.WECHATPAY_APIV3_KEY, sealed.nonce, sealed.associated_data,
    );
    return { verified: true, resource: JSON.parse(plain) };
  },
};

steps[input.step]()
  .then((result) => ({ result }))
  .catch((error) => ({
    error: { status: error.response?.status ?? null, data: error.response?.data ?? String(error) },
  }))
  .then((outcome) => process.stdout.write(JSON.stringify(outcome)));
