// What somebody wants to buy: checks a basket against the catalog.
//
// `{"user": "ana", "lines": [{"sku": "tea", "quantity": 2}]}`; without lines it is one of each.

import { invoke } from "./lambda-api.mjs";

export async function handler(event, context) {
  const wanted = event.lines ?? [{ sku: "tea", quantity: 1 }, { sku: "bowl", quantity: 1 }];
  const skus = [...new Set(wanted.map((line) => line.sku))];
  const { products, unknown } = await invoke("catalog", { skus }, "live");
  const lines = wanted
    .filter((line) => products[line.sku])
    .map(({ sku, quantity = 1 }) => ({
      sku,
      name: products[sku].name,
      quantity: Math.min(quantity, products[sku].stock),
      short: Math.max(0, quantity - products[sku].stock),
    }));
  const grams = lines.reduce((sum, line) => sum + products[line.sku].grams * line.quantity, 0);
  return { user: event.user ?? "guest", lines, unknown, grams, version: context.functionVersion };
}
