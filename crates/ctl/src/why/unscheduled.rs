//! A pod that has no node: asks the scheduler's own filters, node by node, and tells what
//! each refuses by the numbers that it decided with.

use serde_json::Value;
use xebec_api::object::Object;
use xebec_api::pod::{Resources, is_ready, requests};
use xebec_api::taint::Taint;
use xebec_scheduler::{Namespaces, NodeInfo, PodInfo, Refusal, is_pending, refusals};

use super::explanation::Explanation;
use super::facts::Facts;
use super::wording::{amount, bare_amount, count, items_of, list, named, quoted, since, text, verb};

/// Why no node has it.
pub(super) fn explain(facts: &Facts, pod: &Object) -> Explanation {
    let age = since(pod.text(&["metadata", "creationTimestamp"]), facts.now);
    let lead = format!("{} has been Pending{age}: ", named(pod));
    if !is_pending(pod) {
        return not_ours(pod, &lead);
    }
    if !facts.knows("Node") {
        return by_condition(pod, &lead);
    }
    let mut nodes = Judged::all(facts, pod);
    if nodes.is_empty() {
        let fix = "Add one: `xctl token create` gives the token that `xebec node` joins with.";
        return Explanation::ill(pod, format!("{lead}the cluster has no node at all.")).fix(fix);
    }
    if let Some(free) = nodes.iter().find(|node| node.refusals.is_empty()) {
        let said =
            format!("{lead}node {} would take it, and the scheduler has not put it there yet.", free.name);
        let fix = "That takes a moment only; if it does not pass, see whether a master leads: `xctl cluster status`.";
        return Explanation::ill(pod, said).fix(fix);
    }
    let all = verb(nodes.len(), "the only node does not take it", "none of the N nodes takes it");
    let all = all.replace('N', &nodes.len().to_string());
    let explained = Explanation::ill(pod, format!("{lead}{all}."));
    nodes.sort_by(|a, b| a.name.cmp(&b.name));
    told(facts, pod, &nodes, explained)
}

fn told(facts: &Facts, pod: &Object, nodes: &[Judged], mut explained: Explanation) -> Explanation {
    let shortages: Vec<Shortage<'_>> =
        short_of(nodes).into_iter().map(|resource| Shortage::of(pod, nodes, resource)).collect();
    explained = shortages.iter().fold(explained, |explained, it| explained.because(it.told()));
    if !shortages.is_empty() {
        explained = explained.fix(relief(&shortages));
    }
    explained = full(nodes, explained);
    explained = ports(nodes, explained);
    explained = affinity(pod, nodes, explained);
    explained = neighbours(nodes, explained);
    explained = cordoned(nodes, explained);
    tainted(facts, nodes, explained)
}

/// A node and what the filters have against it.
struct Judged {
    name: String,
    refusals: Vec<Refusal>,
}

impl Judged {
    fn all(facts: &Facts, pod: &Object) -> Vec<Self> {
        let nodes = facts.all("Node").map(|node| NodeInfo::from_objects(node, &facts.pods_on(node.name())));
        let nodes: Vec<NodeInfo> = nodes.collect();
        let namespaces = Namespaces::of(facts.all("Namespace"));
        let refusals = refusals(&PodInfo::from_object(pod), &nodes, &namespaces);
        let judged = nodes.into_iter().zip(refusals);
        judged.map(|(node, refusals)| Self { name: node.name, refusals }).collect()
    }
}

fn not_ours(pod: &Object, lead: &str) -> Explanation {
    let gates: Vec<&str> =
        items_of(pod, &["spec", "schedulingGates"]).map(|gate| text(gate, "/name")).collect();
    if gates.is_empty() {
        let scheduler = pod.text(&["spec", "schedulerName"]);
        let said = format!("{lead}it asks for the scheduler {scheduler}, which is not part of this cluster.");
        return Explanation::ill(pod, said).fix("Leave schedulerName out of its manifest.");
    }
    let said = format!(
        "{lead}it is held back by its scheduling {} {}.",
        verb(gates.len(), "gate", "gates"),
        list(&gates)
    );
    Explanation::ill(pod, said)
        .fix("Whoever set a gate takes it out of spec.schedulingGates when it is time.")
}

/// What the scheduler itself wrote, where nodes may not be seen.
fn by_condition(pod: &Object, lead: &str) -> Explanation {
    let scheduled = xebec_api::pod::condition(pod, "PodScheduled").unwrap_or(&Value::Null);
    let message = quoted(text(scheduled, "/message"));
    let message =
        if message.is_empty() { "the scheduler has not looked at it yet".to_owned() } else { message };
    Explanation::ill(pod, format!("{lead}{message}."))
}

/// The resources that any node is short of, most wanted first by name.
fn short_of(nodes: &[Judged]) -> Vec<String> {
    let all = nodes.iter().flat_map(|node| &node.refusals).filter_map(|refusal| match refusal {
        Refusal::Insufficient { resource, .. } => Some(resource.clone()),
        _ => None,
    });
    let mut all: Vec<String> = all.collect();
    all.sort();
    all.dedup();
    all
}

/// Something of which no node has enough left.
struct Shortage<'a> {
    resource: String,
    asked: i128,
    /// Node, what is free, what there is; the most free first.
    rooms: Vec<(&'a str, i128, i128)>,
}

impl<'a> Shortage<'a> {
    fn of(pod: &Object, nodes: &'a [Judged], wanted: String) -> Self {
        let mut rooms: Vec<(&str, i128, i128)> = Vec::new();
        for node in nodes {
            for refusal in &node.refusals {
                if let Refusal::Insufficient { resource, free, allocatable, .. } = refusal
                    && *resource == wanted
                {
                    rooms.push((&node.name, *free, *allocatable));
                }
            }
        }
        rooms.sort_by_key(|(name, free, _)| (-free, (*name).to_owned()));
        Self { asked: of(&requests(pod), &wanted), resource: wanted, rooms }
    }

    fn told(&self) -> String {
        let bare = |amount| bare_amount(&self.resource, amount);
        let room = |(name, free, all): &(&str, i128, i128)| {
            format!("{name} has {} free of {}", bare(*free), bare(*all))
        };
        let rooms: Vec<String> = self.rooms.iter().map(room).collect();
        format!("It asks for {}, and {}.", amount(&self.resource, self.asked), list(&rooms))
    }

    /// The most that any node has for all of its pods together.
    fn largest(&self) -> i128 {
        self.rooms.iter().map(|(_, _, all)| *all).max().unwrap_or_default()
    }

    fn is_larger_than_any(&self) -> bool {
        self.asked > self.largest()
    }

    /// As much as would be granted: now, or at all where even an empty node is too small.
    fn most(&self) -> String {
        let free = self.rooms.first().map_or(0, |(_, free, _)| *free).max(0);
        amount(&self.resource, if self.is_larger_than_any() { self.largest() } else { free })
    }
}

fn relief(shortages: &[Shortage<'_>]) -> String {
    let most: Vec<String> = shortages.iter().map(Shortage::most).collect();
    let most = list(&most);
    if shortages.iter().any(Shortage::is_larger_than_any) {
        return format!(
            "No node is that large: have its containers ask for at most {most} together, or add a larger node."
        );
    }
    format!("Have its containers ask for at most {most} together, end or shrink other pods, or add a node.")
}

fn of(resources: &Resources, name: &str) -> i128 {
    match name {
        "cpu" => resources.cpu_millis,
        "memory" => resources.memory_bytes,
        other => resources.other.get(other).copied().unwrap_or_default(),
    }
}

/// The nodes about which `read` says something, by what it says.
fn grouped<T: PartialEq>(nodes: &[Judged], read: impl Fn(&Refusal) -> Option<T>) -> Vec<(T, Vec<&str>)> {
    let mut groups: Vec<(T, Vec<&str>)> = Vec::new();
    for node in nodes {
        for said in node.refusals.iter().filter_map(&read) {
            match groups.iter_mut().find(|(known, _)| *known == said) {
                Some((_, names)) => names.push(&node.name),
                None => groups.push((said, vec![&node.name])),
            }
        }
    }
    groups
}

fn full(nodes: &[Judged], explained: Explanation) -> Explanation {
    let found = grouped(nodes, |refusal| match refusal {
        Refusal::TooManyPods { allowed } => Some(*allowed),
        _ => None,
    });
    found.into_iter().fold(explained, |explained, (allowed, names)| {
        let allowed = count(usize::try_from(allowed).unwrap_or_default(), "pod");
        explained
            .because(format!(
                "{} {} the {allowed} that a node takes.",
                list(&names),
                verb(names.len(), "runs", "run")
            ))
            .fix("End pods that are not needed, or add a node.")
    })
}

fn ports(nodes: &[Judged], explained: Explanation) -> Explanation {
    let found = grouped(nodes, |refusal| match refusal {
        Refusal::PortTaken { port, protocol } => Some(format!("{port}/{protocol}")),
        _ => None,
    });
    found.into_iter().fold(explained, |explained, (port, names)| {
        explained
            .because(format!("Its host port {port} is taken by another pod on {}.", list(&names)))
            .fix("Leave hostPort out of its manifest and reach it through a Service, or add a node.")
    })
}

fn affinity(pod: &Object, nodes: &[Judged], explained: Explanation) -> Explanation {
    let found =
        grouped(nodes, |refusal| matches!(refusal, Refusal::Affinity | Refusal::NotNamed).then_some(()));
    let Some((_, names)) = found.into_iter().next() else { return explained };
    let pairs: Vec<String> =
        pod.text_map(&["spec", "nodeSelector"]).map(|(key, value)| format!("{key}={value}")).collect();
    if pairs.is_empty() {
        return explained
            .because(format!("Its node affinity does not allow {}.", list(&names)))
            .fix("Label a node so that its affinity matches, or change the affinity.");
    }
    let pairs = pairs.join(",");
    explained
        .because(format!(
            "Its nodeSelector asks for {pairs}, which {} {}.",
            list(&names),
            verb(names.len(), "lacks", "lack")
        ))
        .fix(format!(
            "Label a node with `xctl label node {} {}`, or change the nodeSelector.",
            names[0],
            pairs.replace(',', " ")
        ))
}

/// What other pods have to do with it, each with what to do.
const NEIGHBOURS: [(Refusal, &str, &str); 5] = [
    (
        Refusal::PodAffinity,
        "The pods that its pod affinity asks for are not near NODES.",
        "Start those pods first, or change its podAffinity.",
    ),
    (
        Refusal::PodAntiAffinity,
        "Pods near NODES are such as its pod anti-affinity forbids.",
        "Add a node, or change its podAntiAffinity.",
    ),
    (
        Refusal::ExistingAntiAffinity,
        "The anti-affinity of pods near NODES forbids it.",
        "Add a node, or change the podAntiAffinity of those pods.",
    ),
    (
        Refusal::TopologySpread,
        "On NODES it would break its topology spread constraints.",
        "Add a node where there are fewest of its like, or raise maxSkew.",
    ),
    (
        Refusal::TopologyLabel,
        "A label that its topology spread constraints go by is not on NODES.",
        "Label the nodes, or change the topologyKey.",
    ),
];

fn neighbours(nodes: &[Judged], explained: Explanation) -> Explanation {
    NEIGHBOURS.iter().fold(explained, |explained, (meant, said, fix)| {
        let found = grouped(nodes, |refusal| (refusal == meant).then_some(()));
        found.into_iter().fold(explained, |explained, ((), names)| {
            explained.because(said.replace("NODES", &list(&names))).fix(*fix)
        })
    })
}

fn cordoned(nodes: &[Judged], explained: Explanation) -> Explanation {
    let found = grouped(nodes, |refusal| matches!(refusal, Refusal::Unschedulable).then_some(()));
    found.into_iter().fold(explained, |explained, ((), names)| {
        let is = verb(names.len(), "is", "are");
        explained
            .because(format!("{} {is} cordoned.", list(&names)))
            .fix(format!("Let pods onto it again with `xctl uncordon {}`.", names[0]))
    })
}

fn tainted(facts: &Facts, nodes: &[Judged], explained: Explanation) -> Explanation {
    let found = grouped(nodes, |refusal| match refusal {
        Refusal::Untolerated(taint) => Some(written(taint)),
        _ => None,
    });
    found.into_iter().fold(explained, |explained, (taint, names)| {
        let lost = |name: &&str| facts.find("Node", "", name).is_some_and(|node| !is_ready(node));
        if taint.starts_with("node.kubernetes.io/") && names.iter().all(lost) {
            let said = format!("{} {} not ready.", list(&names), verb(names.len(), "is", "are"));
            return explained.because(said).fix(format!("See `xctl why node/{}`.", names[0]));
        }
        let has = verb(names.len(), "has", "have");
        let fix = format!(
            "Give the pod a toleration for {taint}, or take the taint away with `xctl taint nodes {} {taint}-`.",
            names[0]
        );
        explained.because(format!("{} {has} the taint {taint}, which it does not tolerate.", list(&names))).fix(fix)
    })
}

fn written(taint: &Taint) -> String {
    let value = if taint.value.is_empty() { String::new() } else { format!("={}", taint.value) };
    format!("{}{value}:{}", taint.key, taint.effect)
}
