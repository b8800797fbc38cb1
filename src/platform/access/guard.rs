//! The extractor that a handler names its permission with.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use tokio::sync::watch;

use super::{Actor, Permission, Scope};
use crate::error::{Code, Error, Result};
use crate::ids::PersonId;
use crate::platform::Platform;
use crate::platform::http::contract::Contract;
use crate::platform::http::limits::Limits;

/// Opens when a request's guard lets it in.
///
/// A handler's extractors run side by side, and the first that refuses answers. Whoever may not call an operation must be told
/// that and nothing else, so the others ([`passed`]) wait here: refused by its guard, a request ends before them.
#[derive(Clone)]
pub struct Gate(Arc<watch::Sender<bool>>);

impl Default for Gate {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }
}

/// The operation that a request is for; found once a request.
#[derive(Debug, Clone)]
pub struct Route {
    /// The pattern of its path.
    pub pattern: Arc<str>,
    /// Whether it asks for a login.
    pub guarded: bool,
}

impl Route {
    /// The route of `req`.
    pub fn of(req: &HttpRequest) -> Self {
        if let Some(route) = req.extensions().get::<Self>() {
            return route.clone();
        }
        let contract = req.app_data::<Data<Contract>>();
        let found = contract.and_then(|contract| Some((contract, contract.pattern(req.path())?)));
        let route = match found {
            Some((contract, pattern)) => {
                let guarded = contract.is_guarded(req.method().as_str(), &pattern);
                Self { pattern, guarded }
            }
            None => Self { pattern: "(none)".into(), guarded: false },
        };
        req.extensions_mut().insert(route.clone());
        route
    }
}

/// Waits until the guard of `req` has let it in, where its operation has one.
pub async fn passed(req: &HttpRequest) {
    let gate = req.extensions().get::<Gate>().cloned();
    if let (true, Some(gate)) = (Route::of(req).guarded, gate) {
        // The sender lives in `gate` itself, so waiting ends only when it opens or the request does.
        let mut opening = gate.0.subscribe();
        let _open = opening.wait_for(|open| *open).await;
    }
}

/// Proof that the caller is logged in and holds the permission `P` somewhere.
pub struct Guard<P> {
    actor: Actor,
    scope: Scope,
    permission: PhantomData<P>,
}

impl<P: Permission> Guard<P> {
    /// The guard of `actor`, or 403 when no grant has the permission.
    pub fn of(actor: Actor) -> Result<Self> {
        let paths: Vec<String> = actor
            .standing
            .grants
            .iter()
            .filter(|grant| P::ROLES.contains(&grant.role))
            .map(|grant| grant.path.clone())
            .collect();
        if paths.is_empty() && !P::ROLES.is_empty() {
            return Err(Error::new(Code::Forbidden)
                .detail(format!("需要权限 {}", P::NAME), format!("This needs the permission {}", P::NAME)));
        }
        Ok(Self { actor, scope: Scope { paths }, permission: PhantomData })
    }

    /// Who.
    pub fn person(&self) -> PersonId {
        self.actor.person
    }

    /// The caller.
    pub fn actor(&self) -> &Actor {
        &self.actor
    }

    /// Where the permission holds.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }
}

impl<P: Permission> FromRequest for Guard<P> {
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self>>>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let bearer = bearer(req);
        let platform = req.app_data::<Data<Platform>>().cloned();
        let limits = req.app_data::<Data<Limits>>().cloned();
        let gate = req.extensions().get::<Gate>().cloned();
        Box::pin(async move {
            let (Some(platform), Some(limits)) = (platform, limits) else {
                return Err(Error::internal("the application has no platform"));
            };
            let actor = platform.access.authenticate(&bearer?).await?;
            limits.admit_person(actor.person).await?;
            let guard = Self::of(actor)?;
            if let Some(gate) = gate {
                gate.0.send_replace(true);
            }
            Ok(guard)
        })
    }
}

pub(crate) fn bearer(req: &HttpRequest) -> Result<String> {
    req.headers()
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.split_once(' '))
        .filter(|(scheme, token)| scheme.eq_ignore_ascii_case("bearer") && !token.is_empty())
        .map(|(_, token)| token.trim().to_owned())
        .ok_or_else(|| Error::new(Code::Unauthenticated))
}
