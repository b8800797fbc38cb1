//! Finds the handler of a request.
//!
//! Patterns are tried one after the other, so operations stand in groups of the first part of their path, and only one group is
//! tried. That leaves so few patterns a request that the small engine of regular expressions does, of whose patterns each thread
//! keeps its own copy; and nothing is made here of the OpenAPI document, of which a server needs one and not one a thread.

use std::collections::BTreeMap;

use actix_web::Scope;
use actix_web::dev::{HttpServiceFactory, RequestHead};
use actix_web::guard::fn_guard;
use actix_web::web::{self, ServiceConfig};
use utoipa_actix_web::OpenApiFactory;

/// Takes in every operation: for a server, or for its document.
pub trait Operations {
    /// Takes in one.
    fn service<F>(&mut self, operation: F) -> &mut Self
    where
        F: HttpServiceFactory + OpenApiFactory + utoipa::Path + 'static;
}

/// For the document.
impl Operations for utoipa_actix_web::service_config::ServiceConfig<'_> {
    fn service<F>(&mut self, operation: F) -> &mut Self
    where
        F: HttpServiceFactory + OpenApiFactory + utoipa::Path + 'static,
    {
        Self::service(self, operation)
    }
}

/// For a server.
#[derive(Default)]
pub struct Routes(BTreeMap<String, Scope>);

impl Operations for Routes {
    fn service<F>(&mut self, operation: F) -> &mut Self
    where
        F: HttpServiceFactory + OpenApiFactory + utoipa::Path + 'static,
    {
        let group = group(&F::path()).to_owned();
        let scope = self.0.remove(&group).unwrap_or_else(|| scope_of(group.clone()));
        self.0.insert(group, scope.service(operation));
        self
    }
}

impl Routes {
    /// Hands all of them to a server.
    pub fn install(self, cfg: &mut ServiceConfig) {
        for scope in self.0.into_values() {
            cfg.service(scope);
        }
    }
}

/// A scope that takes nothing off a path, and is asked only for paths of its group.
fn scope_of(of: String) -> Scope {
    let is_here = move |head: &RequestHead| group(head.uri.path()) == of;
    web::scope("").guard(fn_guard(move |context| is_here(context.head())))
}

/// What the operations of a group have in common: the name after the version, or the first name where there is no version.
///
/// ```text
/// /api/v1/activities/act_1/signups -> activities
/// /healthz                         -> healthz
/// ```
pub fn group(path: &str) -> &str {
    let rest = path.strip_prefix("/api/v1/").or_else(|| path.strip_prefix('/')).unwrap_or(path);
    rest.split_once('/').map_or(rest, |(first, _)| first)
}

#[cfg(test)]
mod tests {
    use super::group;

    #[test]
    fn a_path_is_of_the_group_of_its_first_name() {
        for (path, of) in [
            ("/api/v1/activities", "activities"),
            ("/api/v1/activities/act_1/signups", "activities"),
            ("/api/v1/activities/", "activities"),
            ("/healthz", "healthz"),
            ("/wechat/push", "wechat"),
            ("/api/v1/", ""),
            ("/", ""),
            ("", ""),
            ("*", "*"),
        ] {
            assert_eq!(group(path), of, "{path}");
        }
    }
}
