//! The enumerations of the seed files: those of the rooms, each with its names in files, database and API.

pub use crate::offering::model::{Allocation, AttendanceRole, Audience, ProgrammeKind};
pub use crate::org::model::{Level, OrganisationKind};
pub use crate::plan::model::{Attribution, Comparator, CountedFrom, Each, Measure, ParticipantGroup, Period};
pub use crate::platform::access::Role as StaffRole;
pub use crate::platform::db::enums::Named;
pub use crate::policy::calendar::DayKind;
pub use crate::policy::model::PolicyUnit;
