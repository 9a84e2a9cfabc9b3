//! `cp`: files and folders from here into a container, and back, by the container's own `tar`.

mod archive;
mod place;

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use bytes::{Buf as _, Bytes};
use clap::Args;
use tokio::sync::mpsc;
use tonic::Streaming;
use xebec_api::object::Object;
use xebec_rpc::error::from_status;
use xebec_rpc::v1::{ExecRequest, ExecResponse, exec_request, exec_response};

use self::archive::{pack, unpack};
use self::place::{Place, There, cleaned, folder_and_name, own_name};
use super::exec;
use crate::output::Out;
use crate::pod_of;
use crate::process::Given;
use crate::session::Session;

/// Pieces that may wait for the disk.
const WAITING: usize = 16;
/// What is kept of what `tar` complains of.
const MOST_COMPLAINT_BYTES: usize = 4 << 10;
/// How long it may take to complain, once what it sent cannot be used.
const COMPLAINING: Duration = Duration::from_secs(2);

/// What to copy.
#[derive(Args)]
pub(crate) struct CpArgs {
    /// A path here, or [NAMESPACE/]POD:PATH
    pub(crate) from: String,
    /// The same; one of them is in a pod
    pub(crate) to: String,
    /// Which container; else the first
    #[arg(short, long, default_value = "")]
    pub(crate) container: String,
    /// Leave owners and permissions to the container
    #[arg(long)]
    pub(crate) no_preserve: bool,
}

/// Copies it.
pub(crate) async fn run(session: &Session, args: &CpArgs, out: &mut Out) -> Result<()> {
    match (Place::parse(&args.from)?, Place::parse(&args.to)?) {
        (Place::Here(from), Place::There(to)) => {
            let container = Container::of(session, args, &to, out).await?;
            container.send(&from, &to.path, args.no_preserve).await
        }
        (Place::There(from), Place::Here(to)) => {
            let container = Container::of(session, args, &from, out).await?;
            for line in container.fetch(&from.path, to).await? {
                out.note(line)?;
            }
            Ok(())
        }
        _ => bail!("one of the two must be in a pod: write [NAMESPACE/]POD:PATH for it"),
    }
}

/// The container that is copied to or from.
struct Container {
    session: Session,
    pod: Object,
    name: String,
}

/// How a command in it ended.
struct Ended {
    code: i32,
    complaint: Vec<u8>,
}

impl Container {
    async fn of(session: &Session, args: &CpArgs, there: &There, out: &mut Out) -> Result<Self> {
        let mut session = session.clone();
        if let Some(namespace) = &there.namespace {
            session.namespace.clone_from(namespace);
        }
        let pod = pod_of::named(&session, &there.pod).await?;
        let name = pod_of::container(&pod, &args.container, out)?;
        Ok(Self { session, pod, name })
    }

    async fn send(&self, from: &Path, to: &str, no_preserve: bool) -> Result<()> {
        let from = from.to_owned();
        std::fs::metadata(&from).with_context(|| format!("cannot copy {}", from.display()))?;
        let mut place = cleaned(to);
        if to.ends_with('/') || self.is_folder(to).await? {
            place.push(own_name(&from)?);
        }
        let (folder, name) = folder_and_name(&place).ok_or_else(|| anyhow!("{to:?} names no file"))?;
        let folder = folder.to_str().ok_or_else(|| anyhow!("{to:?} is no text"))?;
        let how: &[&str] = if no_preserve { &["--no-same-permissions", "--no-same-owner"] } else { &[] };
        let command = [&["tar"], how, &["-xmf", "-", "-C", folder]].concat();
        let (sender, answers) = self.start(&command, true).await?;
        let mut listening = pin!(listen(answers, None));
        tokio::select! {
            sent = upload(from, name, sender) => sent?,
            // Before it has read all: it failed.
            ended = &mut listening => return self.check(&ended?),
        }
        self.check(&listening.await?)
    }

    /// What was left out, a line each.
    async fn fetch(&self, from: &str, to: PathBuf) -> Result<Vec<String>> {
        let path = cleaned(from);
        let text = path.to_str().filter(|text| !text.is_empty()).unwrap_or(".").to_owned();
        let (sender, answers) = self.start(&["tar", "cf", "-", &text], false).await?;
        let (bytes, received) = mpsc::channel(WAITING);
        let mut unpacking = tokio::task::spawn_blocking(move || {
            unpack(Download { received, rest: Bytes::new() }, &path, &to).map(|left_out| left_out.lines())
        });
        let mut listening = pin!(listen(answers, Some(bytes)));
        let (unpacked, ended) = tokio::select! {
            unpacked = &mut unpacking => match unpacked? {
                Ok(lines) => (Ok(lines), listening.await?),
                // What the container complains of explains more, and comes soon or not at all.
                Err(error) => match tokio::time::timeout(COMPLAINING, listening).await {
                    Ok(ended) => (Err(error), ended?),
                    Err(_) => return Err(error),
                },
            },
            ended = &mut listening => (unpacking.await?, ended?),
        };
        drop(sender);
        self.check(&ended).and(unpacked)
    }

    async fn is_folder(&self, path: &str) -> Result<bool> {
        let (_sender, answers) = self.start(&["test", "-d", path], false).await?;
        Ok(listen(answers, None).await?.code == 0)
    }

    async fn start(
        &self,
        command: &[&str],
        stdin: bool,
    ) -> Result<(mpsc::Sender<ExecRequest>, Streaming<ExecResponse>)> {
        let command = command.iter().map(|word| (*word).to_owned()).collect();
        let given = Given { stdin, tty: false };
        exec::start(&self.session, &self.pod, &self.name, command, given).await
    }

    fn check(&self, ended: &Ended) -> Result<()> {
        let said = String::from_utf8_lossy(&ended.complaint);
        match ended.code {
            0 => Ok(()),
            127 => {
                bail!("container {:?} of pod {} has no tar, which cp needs there", self.name, self.pod.name())
            }
            code => bail!("tar in pod {} ended with {code}: {}", self.pod.name(), said.trim()),
        }
    }
}

fn request(message: exec_request::Message) -> ExecRequest {
    ExecRequest { message: Some(message) }
}

/// Packs and sends, to the end of what is packed.
async fn upload(from: PathBuf, name: PathBuf, sender: mpsc::Sender<ExecRequest>) -> Result<()> {
    let (pieces, mut packed) = mpsc::channel(WAITING);
    // Ends with the archive, or with who takes it.
    let packing = tokio::task::spawn_blocking(move || pack(&from, &name, Upload(pieces)));
    while let Some(bytes) = packed.recv().await {
        if sender.send(request(exec_request::Message::Stdin(bytes))).await.is_err() {
            // Who takes no more says why.
            return Ok(());
        }
    }
    packing.await??;
    let _ = sender.send(request(exec_request::Message::StdinClosed(true))).await;
    Ok(())
}

/// Follows a command to its end; what it prints goes on to who wants it.
async fn listen(mut answers: Streaming<ExecResponse>, bytes: Option<mpsc::Sender<Bytes>>) -> Result<Ended> {
    let (mut code, mut complaint) = (None, Vec::new());
    while let Some(answer) = answers.message().await.map_err(|status| from_status(&status))? {
        match answer.message {
            Some(exec_response::Message::Stdout(printed)) => {
                if let Some(bytes) = &bytes {
                    // Who has the whole archive does not want the rest.
                    let _ = bytes.send(printed).await;
                }
            }
            Some(exec_response::Message::Stderr(said)) => {
                complaint.extend_from_slice(&said);
                complaint.truncate(MOST_COMPLAINT_BYTES);
            }
            Some(exec_response::Message::ExitCode(exit)) => code = Some(exit),
            None => bail!("the server sent something that this client does not know: use a newer xctl"),
        }
    }
    let code = code.ok_or_else(|| anyhow!("the connection ended before the copy did: copy again"))?;
    Ok(Ended { code, complaint })
}

/// What is packed, on its way to the container.
struct Upload(mpsc::Sender<Bytes>);

impl Write for Upload {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let sent = self.0.blocking_send(Bytes::copy_from_slice(bytes));
        sent.map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What comes from the container.
struct Download {
    received: mpsc::Receiver<Bytes>,
    rest: Bytes,
}

impl Read for Download {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.rest.is_empty() {
            match self.received.blocking_recv() {
                Some(bytes) => self.rest = bytes,
                None => return Ok(0),
            }
        }
        let length = into.len().min(self.rest.len());
        self.rest.copy_to_slice(&mut into[..length]);
        Ok(length)
    }
}
