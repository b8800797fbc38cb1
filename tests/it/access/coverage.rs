//! Every operation of the document is called by nobody, by a worker, and by every role. Who gets through is what
//! the table of permissions says, and nobody else does. An operation without a case fails the test.

use std::collections::BTreeSet;

use reqwest::Method;
use unionhall::platform::access::Role;
use unionhall::platform::access::policy::POLICY;

use super::cases::{Stage, case};
use crate::harness::document::{OPERATIONS, Operation};
use crate::harness::{Actor, Reply, Test, TestApp};

const PARTS: usize = 4;

macro_rules! parts {
    ($($name:ident = $part:expr),*) => {
        pub const TESTS: &[Test] = tests![$($name,)* the_guard_comes_before_everything_else];
        $(async fn $name(app: TestApp) {
            every_operation_is_for_whom_the_policy_says(app, $part).await;
        })*
    };
}

parts!(
    every_operation_is_for_whom_the_policy_says_1 = 0,
    every_operation_is_for_whom_the_policy_says_2 = 1,
    every_operation_is_for_whom_the_policy_says_3 = 2,
    every_operation_is_for_whom_the_policy_says_4 = 3
);

/// One of the seeded staff for every role, over the whole district.
const STAFF: &[(Role, &str)] = &[
    (Role::CheckinStaff, "gate"),
    (Role::Organiser, "organiser"),
    (Role::Reviewer, "reviewer"),
    (Role::PlanOfficer, "planner"),
    (Role::Auditor, "auditor"),
    (Role::Admin, "admin"),
    (Role::LegalOfficer, "legal"),
    (Role::LegalLead, "legal-lead"),
    (Role::LegalLawyer, "legal-lawyer"),
];

/// Whom the policy lets through: all roles that have the permission, or everybody who is logged in.
fn is_allowed(permission: &str, role: Option<Role>) -> bool {
    let (_, roles) = POLICY.iter().find(|(name, _)| *name == permission).unwrap();
    roles.is_empty() || role.is_some_and(|role| roles.contains(&role))
}

async fn every_operation_is_for_whom_the_policy_says(app: TestApp, part: usize) {
    assert_eq!(
        STAFF.iter().map(|(role, _)| role.as_str()).collect::<BTreeSet<_>>(),
        Role::ALL.iter().map(|role| role.as_str()).collect(),
        "somebody for every role"
    );
    let stage = Stage::set(app.clone()).await;
    let mut callers = vec![(None, app.worker("zhang").await)];
    for (role, name) in STAFF {
        callers.push((Some(*role), app.staff(name).await));
    }
    let (mut wrong, mut without_case) = (Vec::new(), Vec::new());
    for operation in OPERATIONS.iter().skip(part).step_by(PARTS) {
        let Some(call) = case(&stage, &operation.id, &app.anon()).await else {
            without_case.push(operation.id.as_str());
            continue;
        };
        let reply = call.clone().by(&app.anon()).await;
        let expected = if operation.permission.is_some() { 401 } else { operation.success() };
        if reply.status != expected || (expected == 401 && reply.body["code"] != "unauthenticated") {
            wrong.push(format!("{} by nobody: {} {}", operation.id, reply.status, reply.text));
        }
        for (role, caller) in &callers {
            let who = role.map_or("a worker", Role::as_str);
            // Whoever is refused at the door may bring the request that nobody brought: nothing has come of it.
            let call = match &operation.permission {
                Some(permission) if !is_allowed(permission, *role) => call.clone(),
                _ => case(&stage, &operation.id, caller).await.unwrap(),
            };
            // Whoever logs out is needed again.
            let caller = match operation.id.as_str() {
                "logout" => &app.worker(&caller.name).await,
                // And whoever has themselves erased, which nobody with a role may.
                "my_erasure_create" => &app.worker(&caller.fresh_key()).await,
                _ => caller,
            };
            let reply = call.by(caller).await;
            if let Some(fault) = fault(operation, *role, &reply) {
                wrong.push(format!("{} by {who}: {fault}: {} {}", operation.id, reply.status, reply.text));
            }
        }
    }
    assert!(without_case.is_empty(), "write a case for {}", without_case.join(", "));
    assert!(wrong.is_empty(), "not as the policy says:\n{}", wrong.join("\n"));
    app.run_jobs().await;
}

/// What is wrong with an answer to somebody who is logged in.
fn fault(operation: &Operation, role: Option<Role>, reply: &Reply) -> Option<String> {
    let Some(permission) = &operation.permission else {
        return (reply.status != operation.success()).then(|| "it is for everybody".into());
    };
    if is_allowed(permission, role) {
        return (reply.status != operation.success()).then(|| format!("the role has {permission}"));
    }
    let named = reply.body["detail"].as_str().is_some_and(|detail| detail.contains(permission.as_str()));
    if reply.status != 403 || reply.body["code"] != "forbidden" {
        Some(format!("the role has no {permission}"))
    } else if !named {
        Some(format!("the refusal does not name {permission}"))
    } else {
        None
    }
}

async fn the_guard_comes_before_everything_else(app: TestApp) {
    // Whoever may not ask learns nothing: not what is there, and not what is wrong with the request.
    let nobody = app.anon();
    let mut callers = vec![(None, app.worker("zhang").await)];
    for (role, name) in STAFF {
        callers.push((Some(*role), app.staff(name).await));
    }
    for operation in OPERATIONS.iter() {
        let Some(permission) = &operation.permission else { continue };
        let method: Method = operation.method.parse().unwrap();
        let ask = |actor: &Actor| actor.request(method.clone(), &operation.example_path()).body("{not json");
        let reply = nobody.send(ask(&nobody)).await;
        assert_eq!(reply.body["code"], "unauthenticated", "{}: {}", operation.id, reply.text);
        assert_eq!(reply.header("www-authenticate"), Some("Bearer realm=\"unionhall\""), "{}", operation.id);
        for (_, caller) in callers.iter().filter(|(role, _)| !is_allowed(permission, *role)) {
            let reply = caller.send(ask(caller)).await;
            assert_eq!(
                reply.body["code"], "forbidden",
                "{} by {}: {}",
                operation.id, caller.name, reply.text
            );
        }
    }
}
