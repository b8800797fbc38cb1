//! Who follows a merge of accounts.

use std::sync::Arc;

use crate::attendance::merging::AttendanceMerging;
use crate::identity::merging::LoginMerging;
use crate::ids::Ids;
use crate::legal_aid::merging::CaseMerging;
use crate::notify::merging::NoticeMerging;
use crate::people::merging::following::Followers;
use crate::plan::merging::PlanMerging;
use crate::review::merging::ReviewMerging;
use crate::signup::merging::SignupMerging;

/// All of them, from the lowest floor upwards.
pub(super) fn followers(ids: &Ids) -> Followers {
    Followers(vec![
        Arc::new(LoginMerging),
        Arc::new(NoticeMerging { ids: ids.clone() }),
        Arc::new(ReviewMerging),
        Arc::new(SignupMerging),
        Arc::new(AttendanceMerging),
        Arc::new(CaseMerging),
        Arc::new(PlanMerging { ids: ids.clone() }),
    ])
}
