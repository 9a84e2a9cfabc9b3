//! What a person sees who looks on: a line that changes in place, and then goes.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use indicatif::{ProgressDrawTarget, TermLike};
use serde_json::{Value, json};
use tokio::time::timeout;
use xebec_client::Patch;

use super::verbs::Shop;
use super::{Sink, typed_on};
use crate::asked;
use crate::output::Out;

/// A terminal of one line.
#[derive(Clone, Debug, Default)]
struct Screen(Arc<Mutex<Shown>>);

#[derive(Debug, Default)]
struct Shown {
    line: String,
    /// The line at every flush.
    frames: Vec<String>,
}

impl Screen {
    fn shown(&self) -> MutexGuard<'_, Shown> {
        self.0.lock().expect("nobody panics")
    }

    /// Waits until it shows this, or has shown it.
    async fn shows(&self, text: &str) {
        while !self.shown().frames.iter().any(|frame| frame.contains(text)) {
            tokio::task::yield_now().await;
        }
    }
}

impl TermLike for Screen {
    fn width(&self) -> u16 {
        200
    }

    fn move_cursor_up(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_down(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_right(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_left(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.write_str(text)
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.shown().line.push_str(text);
        Ok(())
    }

    fn clear_line(&self) -> io::Result<()> {
        self.shown().line.clear();
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        let mut shown = self.shown();
        let frame = shown.line.trim_end().to_owned();
        shown.frames.push(frame);
        Ok(())
    }
}

async fn report(shop: &Shop, status: &Value) {
    let patch = Patch::Merge(json!({"status": status}));
    let row = asked::row("deployments").expect("a kind");
    shop.client.patch_subresource(row, "default", "web", "status", &patch).await.expect("patched");
}

#[tokio::test]
async fn a_rollout_is_followed_in_one_line_that_goes_at_its_end() {
    let shop = Shop::open().await;
    let (sink, screen) = (Sink::default(), Screen::default());
    let drawn = screen.clone();
    let out = Out::to(Box::new(sink.clone()), Box::new(sink.clone()))
        .with_screen(move || ProgressDrawTarget::term_like(Box::new(drawn.clone())));
    let following = typed_on(out, &sink, shop.client.clone(), "rollout status deploy/web");
    let rolling_out = async {
        screen.shows("Waiting for deployment spec update to be observed...").await;
        report(&shop, &json!({"observedGeneration": 1, "replicas": 2, "updatedReplicas": 1})).await;
        screen.shows("1 out of 2 new replicas have been updated...").await;
        report(&shop, &json!({"updatedReplicas": 2, "readyReplicas": 2, "availableReplicas": 2})).await;
    };
    let both = async { tokio::join!(following, rolling_out) };
    let (told, ()) = timeout(Duration::from_secs(30), both).await.expect("in time");
    assert_eq!(told, "deployment \"web\" successfully rolled out\n");
    let shown = screen.shown();
    let longest = shown.frames.iter().map(|frame| frame.matches("Waiting").count()).max();
    assert_eq!((longest, shown.line.as_str()), (Some(1), ""), "{:#?}", shown.frames);
}
