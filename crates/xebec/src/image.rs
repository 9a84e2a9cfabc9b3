//! `xebec image`: images without a container engine.

#![allow(clippy::print_stdout, reason = "what the user asked for")]

use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Subcommand;
use xebec_runtime::image::{PackOptions, ProcessConfig, Store, pack};

/// What can be done with images.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Pack a folder into an OCI archive.
    Pack {
        /// The folder that becomes the image's root.
        dir: PathBuf,
        /// The image's name, such as xebec.local/web:1.
        #[arg(long)]
        name: String,
        /// The program, and its fixed arguments.
        #[arg(long, num_args = 1..)]
        entrypoint: Vec<String>,
        /// Arguments that a pod's `args` replace.
        #[arg(long, num_args = 1.., allow_hyphen_values = true)]
        cmd: Vec<String>,
        /// Variables, NAME=VALUE.
        #[arg(long)]
        env: Vec<String>,
        /// The working directory.
        #[arg(long, default_value = "")]
        workdir: String,
        /// The user, by name or number.
        #[arg(long, default_value = "")]
        user: String,
        /// The archive; by default the image's last name with .tar, here.
        #[arg(long)]
        output: Option<PathBuf>,
    },
    /// Import an OCI or docker archive into a node's store.
    Import {
        /// The archive.
        archive: PathBuf,
        /// The node's data folder.
        #[arg(long, default_value = "/var/lib/xebec")]
        data_dir: PathBuf,
    },
    /// List a node's images.
    Ls {
        /// The node's data folder.
        #[arg(long, default_value = "/var/lib/xebec")]
        data_dir: PathBuf,
    },
    /// Remove an image from a node's store.
    Rm {
        /// The image's name.
        name: String,
        /// The node's data folder.
        #[arg(long, default_value = "/var/lib/xebec")]
        data_dir: PathBuf,
    },
}

/// Does it.
pub(crate) fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Pack { dir, name, entrypoint, cmd, env, workdir, user, output } => {
            let output = output.unwrap_or_else(|| default_output(&name));
            let given = |list: Vec<String>| (!list.is_empty()).then_some(list);
            let process = ProcessConfig {
                entrypoint: given(entrypoint),
                cmd: given(cmd),
                env: given(env),
                working_dir: workdir,
                user,
                ..ProcessConfig::default()
            };
            let digest = pack(&PackOptions { dir, name: name.clone(), process }, &output)?;
            println!("{name} {digest} {}", output.display());
        }
        Command::Import { archive, data_dir } => {
            for name in Store::open(&data_dir)?.import(&archive, None)? {
                println!("{name}");
            }
        }
        Command::Ls { data_dir } => {
            for image in Store::open(&data_dir)?.ls()? {
                println!("{}  {}  {} bytes", image.names.join(", "), image.digest, image.size_bytes);
            }
        }
        Command::Rm { name, data_dir } => {
            let removed = Store::open(&data_dir)?.rm(&name).with_context(|| format!("remove {name}"))?;
            if !removed {
                bail!("there is no image {name:?}: see `xebec image ls`");
            }
        }
    }
    Ok(())
}

fn default_output(name: &str) -> PathBuf {
    let last = name.rsplit('/').next().unwrap_or(name);
    PathBuf::from(format!("{}.tar", last.replace(':', "-")))
}
