"""What the shop sells.

An empty event lists everything; `{"skus": [...]}` asks for some of it. Answers say which version
of the function speaks, so that a shift of traffic can be seen from outside.
"""

MESSAGE = "fresh from the market"

PRODUCTS = {
    "tea": {"name": "Green tea", "grams": 100, "stock": 40},
    "rice": {"name": "Short-grain rice", "grams": 1000, "stock": 12},
    "bowl": {"name": "Stoneware bowl", "grams": 420, "stock": 7},
    "spoon": {"name": "Wooden spoon", "grams": 60, "stock": 25},
}


def handler(event, context):
    skus = event.get("skus") or sorted(PRODUCTS)
    known = {sku: PRODUCTS[sku] for sku in skus if sku in PRODUCTS}
    return {
        "message": MESSAGE,
        "products": known,
        "unknown": sorted(set(skus) - set(known)),
        "version": context.function_version,
    }
