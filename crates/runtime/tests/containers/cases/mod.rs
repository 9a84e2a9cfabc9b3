//! The cases, in the order in which they are run.

mod attach;
mod containers;
mod exec;
mod many;
mod network;
mod survival;
mod tunnel;

use std::future::Future;
use std::pin::Pin;

pub(crate) use survival::agent;

type Case = fn() -> Pin<Box<dyn Future<Output = ()>>>;

/// Every case by its name.
pub(crate) fn all() -> Vec<(&'static str, Case)> {
    vec![
        ("run_logs_and_exit_codes", || Box::pin(containers::run_logs_and_exit_codes())),
        ("what_cannot_start_says_why", || Box::pin(containers::what_cannot_start_says_why())),
        ("exec", || Box::pin(exec::exec())),
        ("exec_streams", || Box::pin(exec::exec_streams())),
        ("exec_moves_both_ways_at_once", || Box::pin(exec::exec_moves_both_ways_at_once())),
        ("a_command_goes_with_its_client", || Box::pin(exec::a_command_goes_with_its_client())),
        ("attach", || Box::pin(attach::attach())),
        ("attach_to_a_terminal", || Box::pin(attach::attach_to_a_terminal())),
        ("stdin_ends_with_the_first_where_it_is_opened_once", || Box::pin(attach::stdin_once())),
        ("older_shims_say_what_they_cannot_do", || Box::pin(attach::older_shims())),
        ("connect", || Box::pin(network::connect())),
        ("containers_share_an_address", || Box::pin(network::containers_share_an_address())),
        ("identity_and_rights", || Box::pin(containers::identity_and_rights())),
        ("mounts_and_limits", || Box::pin(containers::mounts_and_limits())),
        ("parts_of_volumes", || Box::pin(containers::parts_of_volumes())),
        ("host_network_and_privileged", || Box::pin(containers::host_network_and_privileged())),
        ("host_processes", || Box::pin(containers::host_processes())),
        ("pods_survive_their_agent", || Box::pin(survival::pods_survive_their_agent())),
        ("nothing_is_left_after_a_massacre", || Box::pin(survival::nothing_is_left_after_a_massacre())),
        ("an_idle_shim_sleeps", || Box::pin(exec::an_idle_shim_sleeps())),
        ("a_stopped_sandbox_holds_nothing", || Box::pin(survival::a_stopped_sandbox_holds_nothing())),
        ("a_launch_cut_short_is_cleared", || Box::pin(survival::a_launch_cut_short_is_cleared())),
        ("system_image", || Box::pin(containers::system_image())),
        ("routes", || Box::pin(network::routes())),
        ("pods_behind_a_router", || Box::pin(tunnel::pods_behind_a_router())),
        ("cgroups_that_are_not_mounted", || Box::pin(survival::cgroups_that_are_not_mounted())),
        ("unified_cgroups", || Box::pin(survival::unified_cgroups())),
        ("many_pods_at_once", || Box::pin(many::many_pods_at_once())),
        ("starts_are_fast", || Box::pin(many::starts_are_fast())),
    ]
}
