//! The enumerations of the seed files, once, each value beside the name that files, database and API use.

use serde::{Deserialize, Serialize};

/// An enumeration whose values have names.
pub trait Named: Copy + 'static {
    /// The first value.
    const FIRST: Self;
    /// All values, in order.
    const ALL: &'static [Self];
    /// The name in files, database and API.
    fn as_str(self) -> &'static str;
}

macro_rules! named {
    ($(#[$doc:meta])* $name:ident {
        $(#[$first_doc:meta])* $first:ident = $first_text:literal,
        $($(#[$other_doc:meta])* $other:ident = $text:literal,)*
    }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum $name {
            $(#[$first_doc])* #[serde(rename = $first_text)] $first,
            $($(#[$other_doc])* #[serde(rename = $text)] $other,)*
        }

        impl Named for $name {
            const FIRST: Self = Self::$first;
            const ALL: &'static [Self] = &[Self::$first, $(Self::$other,)*];
            fn as_str(self) -> &'static str {
                match self {
                    Self::$first => $first_text,
                    $(Self::$other => $text,)*
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

named! {
    /// What an organisation is.
    OrganisationKind {
        /// 区总工会: the root of the tree.
        District = "district",
        /// 部室 of the district federation.
        Department = "department",
        /// 街道总工会.
        SubDistrict = "sub_district",
        /// 行业工会.
        IndustryUnion = "industry_union",
        /// 直管工联会, and with level grassroots 直管基层工会.
        DirectUnion = "direct_union",
        /// 驿站.
        Station = "station",
        /// 企业工会, to which members belong.
        EnterpriseUnion = "enterprise_union",
    }
}

named! {
    /// How high a body ranks, lowest first: "市级以上" is `>= Level::City`.
    Level {
        /// 基层.
        Grassroots = "grassroots",
        /// 街道级.
        SubDistrict = "sub_district",
        /// 区级.
        District = "district",
        /// 市级.
        City = "city",
        /// 省级.
        Provincial = "provincial",
        /// 国家级.
        National = "national",
    }
}

named! {
    /// 参与单位 of a plan item: a group, resolved against the organisations when it is used.
    ParticipantGroup {
        /// 各街道总工会.
        AllSubDistricts = "all_sub_districts",
        /// 行业工会.
        IndustryUnions = "industry_unions",
        /// 区总各部室.
        AllDepartments = "all_departments",
        /// 区总直管工联会.
        DirectUnions = "direct_unions",
        /// 区直管基层工会.
        DirectGrassrootsUnions = "direct_grassroots_unions",
    }
}

named! {
    /// What a target counts; `seeds/README.md` has the definitions.
    Measure {
        /// 场.
        SessionsHeld = "sessions_held",
        /// 项.
        ActivitiesHeld = "activities_held",
        /// 人次.
        PersonTimes = "person_times",
        /// 人, 名.
        DistinctPersons = "distinct_persons",
        /// 宗.
        CasesAccepted = "cases_accepted",
        /// A reported number.
        ReportedCount = "reported_count",
        /// A reported share, in percent.
        Rate = "rate",
    }
}

named! {
    /// When a target is met.
    Comparator {
        /// From `value`.
        AtLeast = "at_least",
        /// From `value`; above `upper` it is shown as beyond the range.
        Between = "between",
    }
}

named! {
    /// Units that must each reach the value by themselves.
    Each {
        /// Every sub-district.
        SubDistrict = "sub_district",
        /// Every station from the target's `min_level`.
        Station = "station",
    }
}

named! {
    /// Over which time the value is due.
    Period {
        /// Over the year.
        Year = "year",
        /// In every quarter.
        Quarter = "quarter",
        /// In every month.
        Month = "month",
        /// The year's last snapshot counts.
        YearEnd = "year_end",
        /// At every snapshot.
        Always = "always",
    }
}

named! {
    /// Where a target's figure comes from.
    CountedFrom {
        /// Check-ins, headcounts and finished sessions.
        Attendance = "attendance",
        /// Accepted legal-aid cases.
        Cases = "cases",
        /// Approved reports.
        Report = "report",
    }
}

named! {
    /// To which sub-district a counted quantity belongs.
    Attribution {
        /// That of the organisation that holds the activity.
        Organiser = "organiser",
        /// That in which the session takes place.
        Venue = "venue",
        /// That of the person's enterprise union on the day; where unknown, the organiser's.
        Workplace = "workplace",
    }
}

named! {
    /// The form of a programme.
    ProgrammeKind {
        /// 培训.
        Training = "training",
        /// 学历提升.
        Academic = "academic",
        /// 法律援助.
        LegalAid = "legal_aid",
        /// 疗休养.
        Convalescence = "convalescence",
        /// 文体.
        Culture = "culture",
        /// 关爱.
        Care = "care",
        /// 宣讲.
        Lecture = "lecture",
        /// 交流.
        Exchange = "exchange",
    }
}

named! {
    /// For whom a programme is.
    Audience {
        /// 全体职工.
        All = "all",
        /// 新就业形态劳动者.
        NewEmployment = "new_employment",
        /// 劳模.
        ModelWorker = "model_worker",
        /// 技术工人.
        SkilledWorker = "skilled_worker",
    }
}

named! {
    /// As what a person attends.
    AttendanceRole {
        /// 参加者: for whom the session is.
        Participant = "participant",
        /// 劳模工匠 who help.
        Expert = "expert",
        /// A visited person who also received a gift (慰问).
        Gift = "gift",
    }
}

named! {
    /// How places are given.
    Allocation {
        /// In the order of signing up.
        FirstCome = "first_come",
        /// After review.
        Review = "review",
        /// By draw.
        Draw = "draw",
    }
}

named! {
    /// What simulated staff may do.
    StaffRole {
        /// 签到员.
        CheckinStaff = "checkin_staff",
        /// 活动主办.
        Organiser = "organiser",
        /// 审核员.
        Reviewer = "reviewer",
        /// 计划员.
        PlanOfficer = "plan_officer",
        /// 审计员.
        Auditor = "auditor",
        /// 管理员.
        Admin = "admin",
    }
}

named! {
    /// What a policy's value is counted in.
    PolicyUnit {
        /// Calendar days.
        CalendarDays = "calendar_days",
        /// Working days.
        WorkingDays = "working_days",
        /// Seconds.
        Seconds = "seconds",
        /// Minutes.
        Minutes = "minutes",
        /// Hours.
        Hours = "hours",
        /// Months.
        Months = "months",
        /// Years.
        Years = "years",
        /// People.
        Persons = "persons",
        /// How often.
        Times = "times",
        /// Characters.
        Characters = "characters",
        /// Hundredths, 0 to 100.
        Percent = "percent",
        /// Money: 1/100 yuan.
        Fen = "fen",
        /// A civil day.
        Day = "day",
        /// Names, separated by semicolons.
        Words = "words",
    }
}
