//! One request over several masters: who is asked next, when, and when it ends.

use std::fmt::Write as _;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use tonic::{Request, Status};
use xebec_api::error::{ApiError, Reason};

use crate::backoff::Backoff;
use crate::client::Client;
use crate::failure::{Failure, Outcome};
use crate::pool::Channel;
use crate::server::Server;

/// Waits between rounds in which every master was asked once.
const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_millis(500);

/// What may be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// It may happen twice: reads, and writes that say what is to be.
    Always,
    /// Only where it certainly did not happen.
    IfNothingHappened,
}

impl Repeat {
    fn allows(self, outcome: Outcome) -> bool {
        match outcome {
            Outcome::Decided => false,
            Outcome::NothingHappened => true,
            Outcome::Unknown => self == Self::Always,
        }
    }
}

/// A message with the time that its answer may take.
pub(crate) fn request<T>(message: T, timeout: Duration) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(timeout);
    request
}

/// The failures of one round, by server.
#[derive(Default)]
struct Round(Vec<(Server, Failure)>);

impl Round {
    /// No master accepts this client, or it accepts none of them.
    fn is_hopeless(&self) -> bool {
        self.0.iter().all(|(_, failure)| failure.error.reason == Reason::Unauthorized)
    }

    /// Why it ended: a server's own words where there is only one, else everybody's.
    fn into_error(mut self) -> ApiError {
        if self.0.len() == 1 && !self.0[0].1.broken && self.0[0].1.error.reason != Reason::Timeout {
            return self.0.remove(0).1.error;
        }
        let reason = self.0.last().map_or(Reason::ServiceUnavailable, |(_, failure)| failure.error.reason);
        let mut message = "no master answers".to_owned();
        for (index, (server, failure)) in self.0.iter().enumerate() {
            let separator = if index == 0 { ": " } else { "; " };
            let _ = write!(message, "{separator}{server}: {}", failure.error.message);
        }
        ApiError::new(reason, message)
    }
}

impl Client {
    /// Asks one master after the other until one answers, the request may not be sent
    /// again, or the deadline has passed.
    pub(crate) async fn call<T, F>(
        &self,
        repeat: Repeat,
        send: impl Fn(Channel, Duration) -> F,
    ) -> Result<T, ApiError>
    where
        F: Future<Output = Result<T, Status>>,
    {
        let deadline = Instant::now() + self.settings.deadline;
        let mut backoff = Backoff::new(FIRST_WAIT, LONGEST_WAIT);
        let mut round = Round::default();
        loop {
            let server = self.pool.current();
            let failure = match self.try_once(&server, deadline, &send).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            // An answer is no failure of the master that gave it, whatever it says.
            if failure.broken || failure.outcome != Outcome::Decided {
                self.pool.pass_over(&server, failure.broken);
            }
            if !repeat.allows(failure.outcome) {
                return Err(outcome_unknown(failure, &server));
            }
            round.0.push((server, failure));
            if round.0.len() >= self.pool.servers().len() {
                let wait = backoff.next_wait();
                if round.is_hopeless() || Instant::now() + wait >= deadline {
                    return Err(round.into_error());
                }
                round = Round::default();
                sleep(wait).await;
            }
        }
    }

    async fn try_once<T, F>(
        &self,
        server: &Server,
        deadline: Instant,
        send: &impl Fn(Channel, Duration) -> F,
    ) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, Status>>,
    {
        let left = deadline.saturating_duration_since(Instant::now()).max(FIRST_WAIT);
        let patience = left.min(self.settings.try_timeout);
        let channel = timeout(patience, self.pool.channel(server)).await;
        let channel = channel.unwrap_or_else(|_| Err(Failure::no_connection_in_time()))?;
        match timeout(patience, send(channel, patience)).await {
            Ok(answer) => answer.map_err(|status| Failure::of(&status)),
            Err(_) => Err(Failure::timed_out()),
        }
    }
}

/// What the server decided, as it said it; else that nobody knows.
fn outcome_unknown(failure: Failure, server: &Server) -> ApiError {
    if failure.outcome == Outcome::Decided {
        return failure.error;
    }
    let message = format!(
        "{server}: {}: it is not known whether the request took effect, look before trying again",
        failure.error.message
    );
    ApiError::new(Reason::Timeout, message)
}
