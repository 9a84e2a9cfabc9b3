//! The level `baseline`: nothing that is known to lead out of a pod.

use serde_json::Value;

use super::{Broken, Pod, name, named, quoted, texts};

const CAPABILITIES: [&str; 13] = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];
const SE_LINUX_TYPES: [&str; 5] =
    ["", "container_engine_t", "container_init_t", "container_kvm_t", "container_t"];
const SYSCTLS: [&str; 12] = [
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ping_group_range",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.tcp_wmem",
];

/// Every broken rule; `is_stricter` leaves out those that the next level says more strictly.
pub(super) fn check(pod: &Pod<'_>, is_stricter: bool) -> Vec<Broken> {
    let own = |broken: Option<Broken>| broken.filter(|_| !is_stricter);
    let found = [
        app_armor(pod),
        own(capabilities(pod)),
        host_namespaces(pod),
        own(host_paths(pod)),
        host_ports(pod),
        probe_hosts(pod),
        privileged(pod),
        proc_mount(pod),
        se_linux(pod),
        own(seccomp(pod)),
        sysctls(pod),
        host_process(pod),
    ];
    found.into_iter().flatten().collect()
}

fn text<'a>(of: &'a Value, pointer: &str) -> &'a str {
    of.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn app_armor(pod: &Pod<'_>) -> Option<Broken> {
    let setters = pod.setters(|context| text(context, "/appArmorProfile/type") == "Unconfined")?;
    Some((
        "forbidden AppArmor profile",
        format!("{setters} must not set AppArmor profile type to \"Unconfined\""),
    ))
}

fn capabilities(pod: &Pod<'_>) -> Option<Broken> {
    added(pod, &CAPABILITIES).map(|detail| ("non-default capabilities", detail))
}

/// The containers that add capabilities beside some, and which.
pub(super) fn added(pod: &Pod<'_>, allowed: &[&str]) -> Option<String> {
    let more = |container: &'_ Value| -> Vec<String> {
        let added = texts(container, "/securityContext/capabilities/add");
        added.filter(|it| !allowed.contains(it)).map(str::to_owned).collect()
    };
    let containers = pod.those(|container| !more(container).is_empty())?;
    let mut all: Vec<String> = pod.containers().flat_map(more).collect();
    all.sort_unstable();
    all.dedup();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    Some(format!("{containers} must not include {} in securityContext.capabilities.add", quoted(&all)))
}

fn host_namespaces(pod: &Pod<'_>) -> Option<Broken> {
    let fields = ["hostNetwork", "hostPID", "hostIPC"];
    let shared = fields.iter().filter(|field| pod.spec.get(**field) == Some(&Value::Bool(true)));
    let shared: Vec<String> = shared.map(|field| format!("{field}=true")).collect();
    (!shared.is_empty()).then(|| ("host namespaces", shared.join(", ")))
}

fn host_paths(pod: &Pod<'_>) -> Option<Broken> {
    let volumes: Vec<&str> =
        pod.items("volumes").filter(|volume| volume.get("hostPath").is_some()).map(name).collect();
    named("volume", &volumes).map(|detail| ("hostPath volumes", detail))
}

fn host_ports(pod: &Pod<'_>) -> Option<Broken> {
    let ports = |container: &Value| -> Vec<u64> {
        let ports = container.get("ports").and_then(Value::as_array).into_iter().flatten();
        ports.filter_map(|port| port.get("hostPort")?.as_u64()).filter(|port| *port != 0).collect()
    };
    let containers = pod.those(|container| !ports(container).is_empty())?;
    let mut all: Vec<u64> = pod.containers().flat_map(ports).collect();
    all.sort_unstable();
    all.dedup();
    let verb = if containers.starts_with("containers") { "use" } else { "uses" };
    let plural = if all.len() == 1 { "" } else { "s" };
    let all = all.iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
    Some(("hostPort", format!("{containers} {verb} hostPort{plural} {all}")))
}

/// By a host of its own, a probe or a hook lets the node ask whom the pod cannot.
fn probe_hosts(pod: &Pod<'_>) -> Option<Broken> {
    const PLACES: [&str; 5] =
        ["/livenessProbe", "/readinessProbe", "/startupProbe", "/lifecycle/postStart", "/lifecycle/preStop"];
    let hosts = |container: &Value| -> Vec<String> {
        let places = PLACES
            .iter()
            .flat_map(|place| ["httpGet", "tcpSocket"].map(|kind| format!("{place}/{kind}/host")));
        places.map(|place| text(container, &place).to_owned()).filter(|host| !host.is_empty()).collect()
    };
    let containers = pod.those(|container| !hosts(container).is_empty())?;
    let mut all: Vec<String> = pod.containers().flat_map(hosts).collect();
    all.sort_unstable();
    all.dedup();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    let verb = if containers.starts_with("containers") { "use" } else { "uses" };
    Some(("probe or lifecycle host", format!("{containers} {verb} probe or lifecycle host {}", quoted(&all))))
}

fn privileged(pod: &Pod<'_>) -> Option<Broken> {
    let is_privileged =
        |container: &Value| container.pointer("/securityContext/privileged") == Some(&Value::Bool(true));
    let containers = pod.those(is_privileged)?;
    Some(("privileged", format!("{containers} must not set securityContext.privileged=true")))
}

fn proc_mount(pod: &Pod<'_>) -> Option<Broken> {
    let is_open = |container: &Value| text(container, "/securityContext/procMount") == "Unmasked";
    let containers = pod.those(is_open)?;
    Some(("procMount", format!("{containers} must not set securityContext.procMount to \"Unmasked\"")))
}

fn se_linux(pod: &Pod<'_>) -> Option<Broken> {
    let setters = pod.setters(|context| {
        let part = |field: &str| text(context, &format!("/seLinuxOptions/{field}"));
        !SE_LINUX_TYPES.contains(&part("type")) || !part("user").is_empty() || !part("role").is_empty()
    })?;
    Some(("seLinuxOptions", format!("{setters} set forbidden securityContext.seLinuxOptions")))
}

fn seccomp(pod: &Pod<'_>) -> Option<Broken> {
    let setters = pod.setters(|context| text(context, "/seccompProfile/type") == "Unconfined")?;
    Some((
        "seccompProfile",
        format!("{setters} must not set securityContext.seccompProfile.type to \"Unconfined\""),
    ))
}

fn sysctls(pod: &Pod<'_>) -> Option<Broken> {
    let set = pod.spec.pointer("/securityContext/sysctls").and_then(Value::as_array).into_iter().flatten();
    let forbidden: Vec<&str> = set.map(name).filter(|name| !SYSCTLS.contains(name)).collect();
    (!forbidden.is_empty()).then(|| ("forbidden sysctls", forbidden.join(", ")))
}

fn host_process(pod: &Pod<'_>) -> Option<Broken> {
    let is_set = |context: &Value| context.pointer("/windowsOptions/hostProcess") == Some(&Value::Bool(true));
    let setters = pod.setters(is_set)?;
    Some(("hostProcess", format!("{setters} must not set securityContext.windowsOptions.hostProcess=true")))
}
