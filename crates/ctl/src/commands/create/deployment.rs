//! `create deployment`: one container from an image, in pods with the label `app`.

use clap::Args;
use serde_json::json;
use xebec_api::object::Object;

use super::shell;
use crate::only::OnlyArgs;

#[derive(Args)]
pub(crate) struct DeploymentArgs {
    pub(crate) name: String,
    /// The image
    #[arg(long)]
    pub(crate) image: String,
    /// How many pods
    #[arg(short, long, default_value_t = 1)]
    pub(crate) replicas: u32,
    /// The port that the container listens at
    #[arg(long)]
    pub(crate) port: Option<u16>,
    #[command(flatten)]
    pub(crate) only: OnlyArgs,
    /// What to run instead of the image's command
    #[arg(last = true)]
    pub(crate) command: Vec<String>,
}

/// The Deployment.
pub(super) fn made(args: &DeploymentArgs) -> Object {
    let labels = json!({"app": args.name});
    let mut container = json!({"name": container_name(&args.image), "image": args.image});
    if !args.command.is_empty() {
        container["command"] = json!(args.command);
    }
    if let Some(port) = args.port {
        container["ports"] = json!([{"containerPort": port}]);
    }
    let mut object = shell("apps/v1", "Deployment", &args.name);
    object.set(&["metadata", "labels"], labels.clone());
    object.set(&["spec", "replicas"], args.replicas);
    object.set(&["spec", "selector", "matchLabels"], labels.clone());
    object.set(&["spec", "template", "metadata", "labels"], labels);
    object.set(&["spec", "template", "spec", "containers"], json!([container]));
    object
}

/// `web` of `example.com/shop/web:1`, in the letters that a container's name may have.
fn container_name(image: &str) -> String {
    let last = image.rsplit('/').next().unwrap_or(image);
    let name = last.split([':', '@']).next().unwrap_or(last);
    let letter = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    name.chars().map(letter).collect::<String>().trim_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_is_named_by_its_image() {
        let cases = [
            ("web", "web"),
            ("example.com:5000/shop/web:1", "web"),
            ("example.com/My_App.x@sha256:0123", "my-app-x"),
        ];
        for (image, name) in cases {
            assert_eq!(container_name(image), name);
        }
    }
}
