//! Logs: a container's log file, from where it is wanted.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::StreamExt;
use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use xebec_rpc::v1;

use super::{Answers, Meant, NodeService, WAITING, bad, named};
use crate::logs;
use crate::pod::machine::{is_running, run_id};
use crate::run::Agent;

impl NodeService {
    pub(super) async fn send_logs(
        &self,
        request: v1::LogsRequest,
    ) -> Result<Answers<v1::LogsResponse>, Status> {
        let pod = Meant { namespace: &request.namespace, name: &request.pod, uid: &request.pod_uid };
        let sandbox = self.sandbox(pod).await?;
        let container = named(&sandbox, &request.container)?;
        let folder = self.0.config.data_dir.join("logs").join(&sandbox.pod_uid).join(&container);
        let path = logs::file(&folder, request.previous).ok_or_else(|| {
            let what = if request.previous { "previous terminated container" } else { "log of container" };
            bad(format!("{what} {container:?} in pod {:?} not found", request.pod))
        })?;
        let wanted = logs::Wanted {
            follow: request.follow && !request.previous,
            tail: request.tail_lines.map(|lines| lines as usize),
            since: self.since(&request)?,
            timestamps: request.timestamps,
            limit_bytes: request.limit_bytes,
        };
        let (sender, receiver) = mpsc::channel(WAITING);
        let stop = self.0.stop.clone();
        let over = over(self.0.clone(), sandbox.pod_uid, container, path.clone());
        // Ends with the log, with its reader, or with the agent.
        tokio::spawn(async move { stop.run_until_cancelled(logs::send(path, wanted, sender, over)).await });
        let parts = ReceiverStream::new(receiver).map(|data| Ok(v1::LogsResponse { data: data.into() }));
        Ok(parts.boxed())
    }

    fn since(&self, request: &v1::LogsRequest) -> Result<Option<Timestamp>, Status> {
        if let Some(seconds) = request.since_seconds {
            return Ok(self.0.clock.now().checked_sub(SignedDuration::from_secs(seconds.into())).ok());
        }
        if request.since_time.is_empty() {
            return Ok(None);
        }
        let parsed = request.since_time.parse();
        parsed
            .map(Some)
            .map_err(|_| bad(format!("sinceTime: {:?} is no time in RFC 3339", request.since_time)))
    }
}

/// Says whether the run whose log this is has ended, or is gone with its pod. A run whose start is under way has a log
/// already, and is not known yet.
fn over(
    agent: Arc<Agent>,
    pod_uid: String,
    container: String,
    path: PathBuf,
) -> impl Fn() -> BoxFuture<'static, bool> {
    let run = run_id(&container, logs::attempt(&path).unwrap_or_default());
    let seen = Arc::new(AtomicBool::new(false));
    move || {
        let (agent, pod_uid, run, seen) = (agent.clone(), pod_uid.clone(), run.clone(), seen.clone());
        let replaced = path.parent().and_then(|folder| logs::file(folder, false)).as_ref() != Some(&path);
        Box::pin(async move {
            let Ok(all) = agent.runtime.list().await else { return false };
            let Some(sandbox) = all.into_iter().find(|it| it.pod_uid == pod_uid && it.alive) else {
                return true;
            };
            match sandbox.containers.iter().find(|state| state.id == run) {
                Some(state) => {
                    seen.store(true, Ordering::Relaxed);
                    !is_running(state)
                }
                None => replaced || seen.load(Ordering::Relaxed),
            }
        })
    }
}
