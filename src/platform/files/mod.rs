//! Files: evidence, photos and documents that hang on something of another room.
//!
//! ```text
//! (form) ──looked at, sealed──▶ arriving ──content in the store──▶ uploaded ──attach──▶ attached
//!                                  │                                  │
//!                                  └─never came, an hour──▶ removed ◀─┴─its owner, or a day
//!                                                              └──content erased (job)
//! ```
//! A client uploads a file, is given its id, and names the id in what it is for; the other room attaches it in its own transaction
//! ([`attach_in_tx`]). From then on who may read it is what that room says ([`Holder`]), asked anew at every access, of a link
//! too. The owner may always read it. Every access is in the audit.
//!
//! What a file is, its content alone decides ([`inspect`]); what a class may be stands in [`classes`]. The row is written before the
//! content and says so (`arriving`), and is taken back before it: so there is no content without a row, and no row that is shown
//! without its content. Contents and names are sealed by the vault, bound to the file's id.

pub mod api;
pub mod check_api;
pub mod classes;
pub mod form;
pub mod inspect;
pub mod jobs;
pub mod links;
pub mod model;
pub mod prints;
pub mod storage;
pub mod store;
pub mod upload;

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::error::Result;
use crate::ids::FileId;
use crate::platform::access::Actor;
use crate::platform::db::Conn;
use links::Links;
use storage::Storage;

pub use model::File;
pub use store::{attach_in_tx, of};

/// What files hang on: a room above says who may read what hangs on its rows. Wired in `app.rs`.
pub trait Holder: Send + Sync {
    /// The kind of its rows, as [`attach_in_tx`] is told it.
    fn kind(&self) -> &'static str;

    /// Whether `actor` may read what hangs on the row `holder`.
    fn may_read(&self, conn: &mut Conn, actor: &Actor, holder: Uuid) -> Result<bool>;

    /// What the audit chain names in a file's stead when others ask for it, where the chain must not tell whose files hang on what.
    fn told_as(&self, _holder: Uuid) -> Option<String> {
        None
    }
}

/// Whether a picture is shown, whatever it hangs on: a room above keeps some from most people. Wired in `app.rs`.
pub trait Veil: Send + Sync {
    /// Whether `actor`, who does not own it, sees `file`; none where what it hangs on says so.
    fn shows(&self, conn: &mut Conn, actor: &Actor, file: FileId) -> Result<Option<bool>>;
}

/// Everything that files hang on. Cheap to clone.
#[derive(Clone, Default)]
pub struct Holders(Arc<RwLock<Vec<Arc<dyn Holder>>>>, Arc<RwLock<Option<Arc<dyn Veil>>>>);

impl Holders {
    /// One more kind.
    pub fn register(&self, holder: Arc<dyn Holder>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).push(holder);
    }

    /// What keeps pictures from people.
    pub fn veil(&self, veil: Arc<dyn Veil>) {
        *self.1.write().unwrap_or_else(PoisonError::into_inner) = Some(veil);
    }

    fn shows(&self, conn: &mut Conn, actor: &Actor, file: FileId) -> Result<Option<bool>> {
        let veil = self.1.read().unwrap_or_else(PoisonError::into_inner).clone();
        veil.map_or(Ok(None), |veil| veil.shows(conn, actor, file))
    }

    /// The holder of a kind. What hangs on something that nobody knows is its owner's alone.
    fn find(&self, kind: &str) -> Option<Arc<dyn Holder>> {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        all.iter().find(|holder| holder.kind() == kind).map(Arc::clone)
    }
}

/// How much at once.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Files that are being uploaded.
    pub uploads: usize,
    /// Files that are being read.
    pub downloads: usize,
    /// How long an upload may take to arrive.
    pub upload_time: Duration,
}

/// What the operations on files work with. Cheap to clone.
#[derive(Clone)]
pub struct Files {
    storage: Storage,
    links: Links,
    holders: Holders,
    uploads: Arc<Semaphore>,
    downloads: Arc<Semaphore>,
    upload_time: Duration,
}

impl Files {
    /// Files in `storage`.
    pub fn new(storage: Storage, links: Links, holders: Holders, limits: Limits) -> Self {
        Self {
            storage,
            links,
            holders,
            uploads: Arc::new(Semaphore::new(limits.uploads)),
            downloads: Arc::new(Semaphore::new(limits.downloads)),
            upload_time: limits.upload_time,
        }
    }

    /// Where contents lie.
    pub fn storage(&self) -> &Storage {
        &self.storage
    }

    /// The path at which WeChat fetches a picture that it is asked about, without a login and for a short while.
    pub fn check_path(&self, file: FileId, now: DateTime<Utc>) -> String {
        format!("/api/v1/file-checks/{}", self.links.show_check(file, now))
    }

    /// What files hang on.
    pub fn holders(&self) -> &Holders {
        &self.holders
    }

    fn uploads(&self) -> Arc<Semaphore> {
        Arc::clone(&self.uploads)
    }

    fn upload_time(&self) -> Duration {
        self.upload_time
    }
}
