//! The shop's API, which the same program is when it is called with `api`: a list of
//! products, and an echo of how a request arrived.

use std::collections::BTreeMap;

use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;

/// Something that the shop sells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
struct Product {
    id: &'static str,
    name: &'static str,
    price_cents: u32,
}

const PRODUCTS: [Product; 3] = [
    Product { id: "canvas", name: "Canvas, one bolt", price_cents: 12_900 },
    Product { id: "line", name: "Hemp line, 100 m", price_cents: 4_500 },
    Product { id: "tar", name: "Stockholm tar, 5 l", price_cents: 2_350 },
];

/// Its routes.
pub(crate) fn router() -> Router {
    Router::new()
        .route("/api", get(async || Json(PRODUCTS)))
        .route("/api/products", get(async || Json(PRODUCTS)))
        .route("/api/products/{id}", get(product))
        .route("/api/headers", get(headers))
        .route("/healthz", get(async || "ok\n"))
}

async fn product(Path(id): Path<String>) -> Response {
    match PRODUCTS.iter().find(|product| product.id == id) {
        Some(product) => Json(product).into_response(),
        None => (StatusCode::NOT_FOUND, format!("there is no product {id:?}\n")).into_response(),
    }
}

/// The header fields of the request, as they arrived.
async fn headers(headers: HeaderMap) -> Json<BTreeMap<String, String>> {
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    Json(headers.iter().map(|(name, value)| (name.to_string(), text(value.as_bytes()))).collect())
}
