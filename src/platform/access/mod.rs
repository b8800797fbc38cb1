//! Who is asking, and what they may.
//!
//! A permission stands in a handler's signature as [`Guard<P>`]: without it the handler does not get its actor. The guard
//! knows the subtrees of the organisation for which the actor holds a role with that permission; queries are
//! scoped by them once more. The table of permissions and roles is [`policy`].

pub mod guard;
pub mod policy;
pub mod token;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use moka::sync::Cache as LocalCache;

pub use guard::Guard;
pub use policy::{Permission, Role};
pub use token::{AccessTokens, TokenKey};

use crate::error::{Code, Error, Result};
use crate::ids::{FamilyId, OrganisationId, PersonId};
use crate::platform::db::{Conn, Db, Gather};

/// A role over a subtree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The role.
    pub role: Role,
    /// The root of the subtree.
    pub organisation: OrganisationId,
    /// The root's path, such as `/longgang/street-pinghu/`.
    pub path: String,
}

/// What a person may do now.
#[derive(Debug, Clone, Default)]
pub struct Standing {
    /// Nobody may act with a disabled account.
    pub disabled: bool,
    /// Nor with one whose personal data was erased.
    pub erased: bool,
    /// Whether this login has been ended.
    pub ended: bool,
    /// Live grants.
    pub grants: Vec<Grant>,
}

/// Reads standings from the database: the identity room's, wired in `app.rs`.
pub trait StandingSource: Send + Sync {
    /// The standings of people in their logins, by login; none where a login is not there or not theirs.
    fn load(
        &self,
        conn: &mut Conn,
        logins: &[(PersonId, FamilyId)],
    ) -> Result<HashMap<(PersonId, FamilyId), Standing>>;
}

/// Somebody who is logged in.
#[derive(Debug, Clone)]
pub struct Actor {
    /// Who.
    pub person: PersonId,
    /// In which login.
    pub family: FamilyId,
    /// With what rights.
    pub standing: Arc<Standing>,
}

/// The subtrees for which an actor holds a permission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    paths: Vec<String>,
}

impl Scope {
    /// A scope of the given subtrees; for tests and commands.
    pub fn of(paths: Vec<String>) -> Self {
        Self { paths }
    }

    /// Whether the organisation at `path` is inside.
    pub fn covers(&self, path: &str) -> bool {
        self.paths.iter().any(|root| path.starts_with(root.as_str()))
    }

    /// 404 for an organisation outside: the caller may not know of it.
    pub fn require(&self, path: &str) -> Result<()> {
        if self.covers(path) { Ok(()) } else { Err(Error::not_found()) }
    }

    /// The roots of the subtrees.
    pub fn roots(&self) -> impl Iterator<Item = &str> + '_ {
        self.paths.iter().map(String::as_str)
    }

    /// LIKE patterns of the subtrees. Codes have no `%` or `_`, so nothing needs escaping.
    pub fn patterns(&self) -> impl Iterator<Item = String> + '_ {
        self.paths.iter().map(|root| format!("{root}%"))
    }
}

/// Authenticates requests.
#[derive(Clone)]
pub struct Access {
    tokens: Arc<AccessTokens>,
    reader: Arc<Gather<(PersonId, FamilyId), Standing>>,
    known: Option<LocalCache<FamilyId, (PersonId, Arc<Standing>)>>,
}

impl Access {
    /// `memory` is how long a standing may be remembered by other instances than the one that changed it; zero
    /// to ask the database every time.
    pub fn new(tokens: AccessTokens, source: Arc<dyn StandingSource>, db: Db, memory: Duration) -> Self {
        let known = (!memory.is_zero())
            .then(|| LocalCache::builder().max_capacity(200_000).time_to_live(memory).build());
        let reader = Gather::new(db, move |conn, logins: &[_]| source.load(conn, logins));
        Self { tokens: Arc::new(tokens), reader: Arc::new(reader), known }
    }

    /// The tokens.
    pub fn tokens(&self) -> &AccessTokens {
        &self.tokens
    }

    /// Who sends `bearer`.
    ///
    /// # Errors
    /// 401 for a token that is forged, expired or of an ended login; 403 for a disabled account.
    pub async fn authenticate(&self, bearer: &str) -> Result<Actor> {
        let claims = self.tokens.verify(bearer)?;
        self.actor(claims.person, claims.family).await
    }

    /// `person` in the login `family`, with what they may do now.
    ///
    /// # Errors
    /// 401 for an ended login; 403 for a disabled account.
    pub async fn actor(&self, person: PersonId, family: FamilyId) -> Result<Actor> {
        let standing = self.standing(person, family).await?;
        if standing.erased {
            return Err(Error::new(Code::PersonErased));
        }
        if standing.disabled {
            return Err(Error::new(Code::PersonDisabled));
        }
        if standing.ended {
            return Err(Error::new(Code::Unauthenticated).detail("该登录已退出", "This login has been ended"));
        }
        Ok(Actor { person, family, standing })
    }

    async fn standing(&self, person: PersonId, family: FamilyId) -> Result<Arc<Standing>> {
        if let Some((owner, standing)) = self.known.as_ref().and_then(|known| known.get(&family))
            && owner == person
        {
            return Ok(standing);
        }
        let standing = self.reader.read((person, family)).await?;
        let standing = Arc::new(standing.ok_or_else(|| Error::new(Code::Unauthenticated))?);
        if let Some(known) = &self.known {
            known.insert(family, (person, Arc::clone(&standing)));
        }
        Ok(standing)
    }

    /// Forgets what this instance remembers, after a change of grants, logins or accounts. Rare, so all of it.
    pub fn forget(&self) {
        if let Some(known) = &self.known {
            known.invalidate_all();
        }
    }
}
