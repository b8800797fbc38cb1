//! What the acts of legal aid are done with.

use std::sync::Arc;

use super::counting::CaseCounting;
use crate::clock::SharedClock;
use crate::content::checking::Checks;
use crate::ids::Ids;
use crate::platform::vault::Vault;

/// What the acts of legal aid are done with. Cheap to clone.
#[derive(Clone)]
pub struct LegalTools {
    /// The present.
    pub clock: SharedClock,
    /// New ids.
    pub ids: Ids,
    /// Seals what is said.
    pub vault: Vault,
    /// Counts cases for the plan.
    pub counting: Arc<dyn CaseCounting>,
    /// Has what is written checked; nothing of a case is ever refused or hidden by it.
    pub checks: Checks,
}
