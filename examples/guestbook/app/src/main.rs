//! The guestbook: a page, and entries that live in redis. Everything it needs to know
//! comes from its environment, as a pod's does:
//!
//! | variable | meaning |
//! |---|---|
//! | `LISTEN` | where to listen, `0.0.0.0:8080` |
//! | `GREETING` | the page's heading |
//! | `REDIS_HOST`, `REDIS_PORT` | redis; else `REDIS_SERVICE_HOST` and `REDIS_SERVICE_PORT` |
//! | `REDIS_PASSWORD` | its password |
//!
//! Called as `guestbook api` it is the webshop's API instead.

mod api;
mod redis;

use std::env;
use std::sync::Arc;

use anyhow::{Context, Result};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::get;
use axum::{Form, Json, Router};
use serde::Deserialize;
use tokio::signal::unix::{SignalKind, signal};

use crate::redis::Redis;

/// The list in redis that holds the entries.
const KEY: &str = "guestbook";
/// Entries that are shown and kept.
const MOST_ENTRIES: usize = 1000;
/// Characters an entry may have.
const LONGEST_ENTRY: usize = 500;

struct Guestbook {
    greeting: String,
    redis: Redis,
}

#[derive(Deserialize)]
struct NewEntry {
    entry: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let app = if env::args().nth(1).as_deref() == Some("api") { api::router() } else { guestbook() };
    let address = variable(&["LISTEN"]).unwrap_or_else(|| "0.0.0.0:8080".to_owned());
    let listener =
        tokio::net::TcpListener::bind(&address).await.with_context(|| format!("listen on {address}"))?;
    let mut terminate = signal(SignalKind::terminate())?;
    let stop = async move {
        terminate.recv().await;
    };
    axum::serve(listener, app).with_graceful_shutdown(stop).await?;
    Ok(())
}

fn guestbook() -> Router {
    let guestbook = Arc::new(Guestbook {
        greeting: variable(&["GREETING"]).unwrap_or_else(|| "Welcome to the guestbook".to_owned()),
        redis: Redis::new(redis_address(), variable(&["REDIS_PASSWORD"])),
    });
    Router::new()
        .route("/", get(page))
        .route("/entries", get(list).post(add))
        .route("/healthz", get(healthz))
        .with_state(guestbook)
}

#[allow(clippy::disallowed_methods, reason = "a pod's configuration is its environment")]
fn variable(names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| env::var(name).ok()).filter(|value| !value.is_empty())
}

fn redis_address() -> String {
    let host = variable(&["REDIS_HOST", "REDIS_SERVICE_HOST"]).unwrap_or_else(|| "redis".to_owned());
    format!("{host}:{}", redis_port(variable(&["REDIS_PORT"]), variable(&["REDIS_SERVICE_PORT"])))
}

/// Kubernetes sets `REDIS_PORT` too, for the Service: `tcp://10.43.0.9:6379`, which is no port.
fn redis_port(own: Option<String>, of_service: Option<String>) -> u16 {
    let number = |text: Option<String>| text.and_then(|text| text.parse().ok());
    number(own).or_else(|| number(of_service)).unwrap_or(6379)
}

async fn page(State(book): State<Arc<Guestbook>>) -> Response {
    match book.redis.range(KEY, MOST_ENTRIES).await {
        Ok(entries) => Html(render(&book.greeting, &entries)).into_response(),
        Err(error) => unavailable(&error),
    }
}

async fn list(State(book): State<Arc<Guestbook>>) -> Response {
    match book.redis.range(KEY, MOST_ENTRIES).await {
        Ok(entries) => Json(entries).into_response(),
        Err(error) => unavailable(&error),
    }
}

async fn add(State(book): State<Arc<Guestbook>>, Form(new): Form<NewEntry>) -> Response {
    let entry = new.entry.trim();
    if entry.is_empty() || entry.chars().count() > LONGEST_ENTRY {
        let why = format!("entry: 1 to {LONGEST_ENTRY} characters, please\n");
        return (StatusCode::BAD_REQUEST, why).into_response();
    }
    match book.redis.push(KEY, entry, MOST_ENTRIES).await {
        Ok(()) => Redirect::to("/").into_response(),
        Err(error) => unavailable(&error),
    }
}

/// Ready is who can show entries: without redis another replica would not do better,
/// but a Service without endpoints says more than a page full of errors.
async fn healthz(State(book): State<Arc<Guestbook>>) -> Response {
    match book.redis.ping().await {
        Ok(()) => "ok\n".into_response(),
        Err(error) => unavailable(&error),
    }
}

fn unavailable(error: &anyhow::Error) -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, format!("redis is away: {error:#}\n")).into_response()
}

fn render(greeting: &str, entries: &[String]) -> String {
    let items: String = entries.iter().map(|entry| format!("<li>{}</li>\n", escape(entry))).collect();
    format!(
        "<!doctype html><meta charset=utf-8><title>Guestbook</title>\n<h1>{}</h1>\n\
         <form method=post action=/entries><input name=entry maxlength={LONGEST_ENTRY} autofocus>\
         <button>Sign</button></form>\n<ul>\n{items}</ul>\n",
        escape(greeting)
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::{redis_port, render};

    #[test]
    fn the_port_is_ours_or_the_services() {
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(redis_port(text("7000"), text("6380")), 7000);
        assert_eq!(redis_port(text("tcp://10.43.0.9:6380"), text("6380")), 6380);
        assert_eq!(redis_port(None, None), 6379);
    }

    #[test]
    fn a_page_shows_entries_and_no_markup_of_theirs() {
        let page = render("Hello & welcome", &["<script>".to_owned()]);
        assert!(page.contains("<h1>Hello &amp; welcome</h1>"), "{page}");
        assert!(page.contains("<li>&lt;script&gt;</li>"), "{page}");
    }
}
