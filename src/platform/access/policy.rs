//! The one table of permissions: which roles have which. A test prints it and every operation is tried against it.

crate::text_enum! {
    /// What a grant lets its holder do, over a subtree of the organisation.
    pub enum Role {
        /// 签到员: checks people in and finalises sessions.
        CheckinStaff = "checkin_staff",
        /// 组织者: makes and publishes activities.
        Organiser = "organiser",
        /// 审核员: decides requests.
        Reviewer = "reviewer",
        /// 计划专员: keeps the work plan.
        PlanOfficer = "plan_officer",
        /// 审计员: reads the audit chain and the ledger, audits headcounts; changes nothing without another officer.
        Auditor = "auditor",
        /// 管理员: grants roles and disables accounts.
        Admin = "admin",
        /// 法律援助专员: receives requests for legal aid, decides about them, and leads the cases that are theirs.
        LegalOfficer = "legal_officer",
        /// 法律援助负责人: hands requests out, keeps stations and lawyers, answers objections.
        LegalLead = "legal_lead",
        /// 援助律师: handles the cases that were assigned to them.
        LegalLawyer = "legal_lawyer",
    }
}

/// A right that an operation asks for.
pub trait Permission: 'static {
    /// Its name in the OpenAPI document, such as `catalogue:manage`.
    const NAME: &'static str;
    /// Roles that have it; none for everybody who is logged in.
    const ROLES: &'static [Role];
}

macro_rules! permissions {
    ($($(#[$doc:meta])* $name:ident = $text:literal [$($role:ident),*];)*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, Copy)]
            pub struct $name;

            impl Permission for $name {
                const NAME: &'static str = $text;
                const ROLES: &'static [Role] = &[$(Role::$role),*];
            }
        )*

        /// Every permission with its roles.
        pub const POLICY: &[(&str, &[Role])] = &[$(($text, &[$(Role::$role),*])),*];
    };
}

permissions! {
    /// One's own data; everybody who is logged in.
    OwnData = "self" [];
    /// Make and change programmes, activities and sessions.
    CatalogueManage = "catalogue:manage" [Organiser, Admin];
    /// Sign up others: a union its people, staff somebody who asked them to.
    RosterWrite = "roster:write" [Organiser, Admin];
    /// Change the order of a waiting list, with a second officer.
    WaitingOrder = "waiting:order" [Organiser, Admin];
    /// Say what somebody is, as far as quotas and waves go.
    AudienceRecord = "audience:record" [Organiser, Reviewer, Admin];
    /// Judge what somebody says against a penalty.
    PenaltyDecide = "penalty:decide" [Reviewer, Admin];
    /// Decide requests at the desk.
    ReviewDecide = "review:decide" [Reviewer];
    /// End memberships.
    MembershipManage = "membership:manage" [Organiser, Admin];
    /// See who signed up and who was there, masked.
    RosterRead = "roster:read" [CheckinStaff, Organiser, Reviewer, Admin];
    /// Check people in.
    CheckinWrite = "checkin:write" [CheckinStaff, Organiser, Admin];
    /// Enrol devices for the door, give them tasks and their keys, and revoke them.
    DeviceManage = "device:manage" [Organiser, Admin];
    /// Say that a session took place.
    SessionFinalise = "session:finalise" [CheckinStaff, Organiser, Admin];
    /// Count crowds that nobody registered.
    HeadcountWrite = "headcount:write" [CheckinStaff, Organiser, Admin];
    /// See headcounts, what they rest on, and their pictures.
    HeadcountRead = "headcount:read" [CheckinStaff, Organiser, Reviewer, Auditor, Admin];
    /// Draw headcounts to be audited, and say what was found.
    HeadcountAudit = "headcount:audit" [Auditor];
    /// Take in the lists of work injuries that hospitals send.
    InjuryImport = "injury:import" [Organiser, Admin];
    /// See work injuries and visits, masked.
    InjuryRead = "injury:read" [CheckinStaff, Organiser, Reviewer, Admin];
    /// See what a hospital's list says of somebody; every time audited.
    InjuryReveal = "injury:reveal" [Organiser, Reviewer, Admin];
    /// Record that an application for recognition was made.
    InjuryApply = "injury:apply" [Organiser, Reviewer, Admin];
    /// Record visits to the injured.
    VisitWrite = "visit:write" [CheckinStaff, Organiser, Admin];
    /// Take visits back.
    VisitUndo = "visit:undo" [Organiser, Admin];
    /// See the plan and its figures.
    PlanRead = "plan:read" [CheckinStaff, Organiser, Reviewer, PlanOfficer, Auditor, Admin];
    /// Open a figure into its ledger lines.
    LedgerRead = "ledger:read" [PlanOfficer, Auditor, Admin];
    /// Close months and quarters: a street its part, the district all, with a second officer.
    PeriodClose = "period:close" [PlanOfficer, Admin];
    /// Restate closed months, with a second officer.
    RestatementWrite = "restatement:write" [PlanOfficer, Admin];
    /// Have reports made of the plan, and its lines exported.
    ExportMake = "export:make" [PlanOfficer, Auditor, Admin];
    /// Report figures of the plan that no attendance gives.
    ReportWrite = "report:write" [PlanOfficer, Admin];
    /// See reported figures, their versions and their evidence.
    ReportRead = "report:read" [Reviewer, PlanOfficer, Auditor, Admin];
    /// Divide targets among the sub-districts.
    CascadeWrite = "cascade:write" [PlanOfficer, Admin];
    /// Agree or object to the share of one's own sub-district.
    CascadeAnswer = "cascade:answer" [PlanOfficer, Admin];
    /// Say that a milestone is reached.
    MilestoneWrite = "milestone:write" [PlanOfficer, Admin];
    /// Grant and revoke roles.
    StaffManage = "staff:manage" [Admin];
    /// Disable and enable accounts.
    PersonManage = "person:manage" [Admin];
    /// Say that two accounts are one human, or are not, with a second officer.
    PersonMerging = "person:merge" [Admin];
    /// Erase somebody's personal data on their behalf, with a reason.
    PersonErase = "person:erase" [Admin];
    /// See one masked value in clear, with a purpose; every time audited.
    PersonReveal = "person:reveal" [Admin];
    /// See which requests for legal aid wait at one's desk, without names, and take them.
    LegalIntake = "legal:intake" [LegalOfficer, LegalLead];
    /// Work on the cases of whose team one is.
    LegalWork = "legal:work" [LegalOfficer, LegalLead, LegalLawyer];
    /// Decide about requests of whose team one is.
    LegalDecide = "legal:decide" [LegalOfficer, LegalLead];
    /// Hand requests out, and answer objections.
    LegalLeadership = "legal:lead" [LegalLead];
    /// Keep legal service stations, lawyers and their turns.
    LegalHands = "legal:hands" [LegalLead, Admin];
    /// Open a case that is not one's own, for a while and with a reason.
    LegalGlass = "legal:break_glass" [LegalOfficer, LegalLead];
    /// See who opened cases that were not theirs.
    LegalGlassRead = "legal:glass_read" [Auditor];
    /// See how many requests and cases there are, without names.
    LegalStatistics = "legal:statistics" [LegalOfficer, LegalLead, PlanOfficer, Auditor];
    /// Judge what the content check held.
    ContentDecide = "content:decide" [LegalOfficer, LegalLead, Reviewer, Admin];
    /// Read the audit chain.
    AuditRead = "audit:read" [Auditor];
    /// See and revive dead jobs.
    JobManage = "job:manage" [Admin];
}
