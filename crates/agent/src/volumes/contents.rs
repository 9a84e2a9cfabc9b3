//! What is in a volume that the API fills: ConfigMaps, Secrets, the pod's own fields,
//! tokens, and projections of them.

use std::path::{Component, Path, PathBuf};

use k8s_openapi::api::core::v1::{
    DownwardAPIVolumeFile, KeyToPath, ServiceAccountTokenProjection, Volume, VolumeProjection,
};

use super::atomic::{File, Files};
use super::token;
use crate::downward;
use crate::node_object;
use crate::pod::worker::Bound;
use crate::run::Agent;
use crate::sources::{self, Age, Entries, Reference};

/// Kubernetes' own default.
const MODE: u32 = 0o644;

/// The files of a volume, as they are to be now; `None` for a volume of another kind.
///
/// # Errors
/// What is missing, or does not fit.
pub(super) async fn of(
    agent: &Agent,
    bound: &Bound,
    volume: &Volume,
    age: Age,
) -> Result<Option<Files>, String> {
    let filling = Filling { agent, bound, age, volume: &volume.name };
    if let Some(map) = &volume.config_map {
        let mode = mode(map.default_mode);
        let items = map.items.as_deref();
        return filling.keys("configmaps", &map.name, map.optional, items, mode).await.map(Some);
    }
    if let Some(secret) = &volume.secret {
        let name = secret.secret_name.clone().unwrap_or_default();
        let (items, mode) = (secret.items.as_deref(), mode(secret.default_mode));
        return filling.keys("secrets", &name, secret.optional, items, mode).await.map(Some);
    }
    if let Some(fields) = &volume.downward_api {
        let files = fields.items.as_deref().unwrap_or_default();
        return filling.fields(files, mode(fields.default_mode)).map(Some);
    }
    let Some(projected) = &volume.projected else { return Ok(None) };
    let mut files = Files::new();
    for source in projected.sources.iter().flatten() {
        files.extend(filling.projection(source, mode(projected.default_mode)).await?);
    }
    Ok(Some(files))
}

fn mode(mode: Option<i32>) -> u32 {
    mode.and_then(|mode| u32::try_from(mode).ok()).unwrap_or(MODE)
}

struct Filling<'a> {
    agent: &'a Agent,
    bound: &'a Bound,
    age: Age,
    volume: &'a str,
}

impl Filling<'_> {
    async fn keys(
        &self,
        plural: &'static str,
        name: &str,
        optional: Option<bool>,
        items: Option<&[KeyToPath]>,
        default_mode: u32,
    ) -> Result<Files, String> {
        let optional = optional.unwrap_or(false);
        let reference = Reference { plural, namespace: self.bound.object.namespace(), name, optional };
        let entries = sources::entries(self.agent, reference, self.age).await?;
        let files = chosen(entries, items, default_mode, optional);
        files.map_err(|why| format!("volume {:?}: {plural} {name:?}: {why}", self.volume))
    }

    fn fields(&self, items: &[DownwardAPIVolumeFile], default_mode: u32) -> Result<Files, String> {
        let mut files = Files::new();
        for item in items {
            let value = if let Some(field) = &item.field_ref {
                let value = downward::metadata(&self.bound.object, &field.field_path);
                value.ok_or_else(|| {
                    format!("fieldRef {:?} is none that a volume can have", field.field_path)
                })?
            } else if let Some(field) = &item.resource_field_ref {
                downward::resource(&self.bound.pod, "", field, node_object::allocatable(self.agent))?
            } else {
                return Err(format!("volume {:?}: {:?} names no field", self.volume, item.path));
            };
            let mode = item.mode.map_or(default_mode, |own| mode(Some(own)));
            files.insert(inside(&item.path)?, File { bytes: value.into_bytes(), mode });
        }
        Ok(files)
    }

    async fn projection(&self, source: &VolumeProjection, mode: u32) -> Result<Files, String> {
        if let Some(map) = &source.config_map {
            return self.keys("configmaps", &map.name, map.optional, map.items.as_deref(), mode).await;
        }
        if let Some(secret) = &source.secret {
            return self.keys("secrets", &secret.name, secret.optional, secret.items.as_deref(), mode).await;
        }
        if let Some(fields) = &source.downward_api {
            return self.fields(fields.items.as_deref().unwrap_or_default(), mode);
        }
        if let Some(token) = &source.service_account_token {
            return self.token(token, mode).await;
        }
        Err(format!("volume {:?}: a projected source is of a kind that is not supported yet", self.volume))
    }

    async fn token(&self, projection: &ServiceAccountTokenProjection, mode: u32) -> Result<Files, String> {
        let audience = projection.audience.as_deref().unwrap_or_default();
        let seconds = projection.expiration_seconds.unwrap_or(token::DEFAULT_SECONDS);
        let token = token::current(self.agent, &self.bound.object, audience, seconds).await?;
        Ok(Files::from([(inside(&projection.path)?, File { bytes: token.into_bytes(), mode })]))
    }
}

/// Every entry under its own name, or the items that were chosen under theirs.
fn chosen(
    mut entries: Entries,
    items: Option<&[KeyToPath]>,
    default_mode: u32,
    optional: bool,
) -> Result<Files, String> {
    let Some(items) = items.filter(|items| !items.is_empty()) else {
        let file = |(key, bytes): (String, Vec<u8>)| Ok((inside(&key)?, File { bytes, mode: default_mode }));
        return entries.into_iter().map(file).collect();
    };
    let mut files = Files::new();
    for item in items {
        match entries.get_mut(&item.key) {
            Some(bytes) => {
                let mode = item.mode.map_or(default_mode, |own| mode(Some(own)));
                files.insert(inside(&item.path)?, File { bytes: bytes.clone(), mode });
            }
            None if optional => {}
            None => return Err(format!("references non-existent config key: {}", item.key)),
        }
    }
    Ok(files)
}

/// A path that stays inside its volume, and out of the names that are the agent's own.
fn inside(path: &str) -> Result<PathBuf, String> {
    let parsed = Path::new(path);
    let fits = parsed.components().all(|part| matches!(part, Component::Normal(_)));
    if path.is_empty() || !fits || path.starts_with("..") {
        return Err(format!("path {path:?} must stay inside its volume"));
    }
    Ok(parsed.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn entries() -> Entries {
        [("a", "1"), ("b", "2")].map(|(key, value)| (key.to_owned(), value.as_bytes().to_vec())).into()
    }

    fn choose(items: serde_json::Value, optional: bool) -> Result<Files, String> {
        let items: Vec<KeyToPath> = serde_json::from_value(items).expect("items");
        chosen(entries(), Some(&items), 0o640, optional)
    }

    fn file(path: &str, text: &str, mode: u32) -> (PathBuf, File) {
        (path.into(), File { bytes: text.into(), mode })
    }

    #[test]
    fn items_choose_names_and_modes() {
        let both = Files::from([file("a", "1", 0o640), file("b", "2", 0o640)]);
        assert_eq!(chosen(entries(), None, 0o640, false), Ok(both));
        let chosen =
            choose(json!([{"key": "a", "path": "x/y"}, {"key": "b", "path": "b", "mode": 256}]), false);
        assert_eq!(chosen, Ok(Files::from([file("x/y", "1", 0o640), file("b", "2", 0o400)])));
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let gone = json!([{"key": "c", "path": "c"}]);
        assert_eq!(choose(gone.clone(), true), Ok(Files::new()));
        assert_eq!(choose(gone, false), Err("references non-existent config key: c".into()));
        for path in ["/etc", "../up", "a/../..", "..data", ""] {
            let outcome = choose(json!([{"key": "a", "path": path}]), false);
            assert_eq!(outcome, Err(format!("path {path:?} must stay inside its volume")));
        }
    }
}
