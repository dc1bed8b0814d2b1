// Reads the secrets of an environment with the unmodified Node SDK, once for each line that comes.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const [modules, siteUrl, clientId, clientSecret, projectId] = process.argv.slice(2);
const { InfisicalSDK } = createRequire(`${modules}/`)("@infisical/sdk");
const sdk = new InfisicalSDK({ siteUrl });
await sdk.auth().universalAuth.login({ clientId, clientSecret });

for await (const _ of createInterface({ input: process.stdin })) {
  const { secrets } = await sdk.secrets().listSecrets({ projectId, environment: "prod", secretPath: "/" });
  console.log(JSON.stringify(Object.fromEntries(secrets.map((one) => [one.secretKey, one.secretValue]))));
}
