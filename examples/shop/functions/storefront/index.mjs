// The shop's front page: who is there, and what there is to buy, as HTML.

import { invoke } from "./lambda-api.mjs";

const SPECIAL = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
const escape = (text) => String(text).replace(/[&<>"]/g, (c) => SPECIAL[c]);

export async function handler(event, context) {
  const asked = event.token === undefined ? { user: event.user } : { token: event.token };
  const [session, catalog] = await Promise.all([
    invoke("auth", asked, "live"),
    invoke("catalog", {}, "live"),
  ]);
  const items = Object.values(catalog.products)
    .map((product) => `<li>${escape(product.name)} (${product.stock})</li>`)
    .join("");
  const body =
    `<h1>Hello, ${escape(session.user ?? "stranger")}</h1>` +
    `<p>${escape(catalog.message)}</p><ul>${items}</ul>`;
  return {
    statusCode: 200,
    headers: { "content-type": "text/html; charset=utf-8" },
    body,
    version: context.functionVersion,
  };
}
