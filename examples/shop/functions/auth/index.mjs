// Who is asking: signs and checks session tokens (HMAC-SHA256, Node's built-in crypto).
//
// `{"user": "ana"}` gets a token, `{"token": "..."}` has one checked; anything else is a guest. The
// key comes from the environment: deploy.toml takes it from the shell, with a default for this
// machine only.

import { createHmac, timingSafeEqual } from "node:crypto";

const KEY = process.env.SESSION_KEY ?? "only-for-this-machine";
const LIFETIME_S = 3600;

const sign = (text) => createHmac("sha256", KEY).update(text).digest("base64url");

function issue(user, now) {
  const body = Buffer.from(JSON.stringify({ user, expires: now + LIFETIME_S })).toString("base64url");
  return `${body}.${sign(body)}`;
}

function check(token, now) {
  const [body = "", signature = ""] = String(token).split(".");
  const [expected, given] = [Buffer.from(sign(body)), Buffer.from(signature)];
  if (expected.length !== given.length || !timingSafeEqual(expected, given)) {
    return { valid: false, reason: "the signature is wrong" };
  }
  const { user, expires } = JSON.parse(Buffer.from(body, "base64url").toString());
  return expires > now ? { valid: true, user } : { valid: false, reason: "it has expired" };
}

export async function handler(event, context) {
  const now = Math.floor(Date.now() / 1000);
  const version = context.functionVersion;
  if (event.token !== undefined) return { ...check(event.token, now), version };
  const user = event.user ?? "guest";
  return { valid: true, user, token: issue(user, now), version };
}
