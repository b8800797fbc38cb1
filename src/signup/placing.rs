//! Giving places of one activity, whose row the caller has locked until the end of the transaction.
//!
//! [`Ground`] holds the tree of places in memory. Decisions move it; [`Ground::settle_in_tx`] then asks those whose turn it
//! is on the waiting list, and writes the counts once, under guard. Every writer of sign-ups, offers and quotas holds
//! the activity's lock, so what is read under it stays true until the commit.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};

use super::model::{Ending, OfferState, Signup, SignupState};
use super::profile::{self, Profile};
use super::rules;
use super::tree::{self, Bound, NodeAt, Tree};
use super::{store, terms, waiting};
use crate::error::{Code, Error, Result};
use crate::ids::{Ids, PersonId, QuotaId, SignupId};
use crate::notify::beside::Beside;
use crate::offering;
use crate::offering::fair::FairDraw;
use crate::offering::model::{
    Activity, Allocation, AttendanceRole, OwnClash, QuotaKind, WaitingPolicy, Wave,
};
use crate::org;
use crate::people::memberships;
use crate::platform::db::Conn;

/// What a person without a place gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placement {
    /// A place on a leaf.
    Confirmed(NodeAt),
    /// A place in the queue of a leaf.
    Waiting(NodeAt),
    /// A lot in the shuffle.
    Entered,
    /// A request that the desk decides.
    Applied,
}

/// What weighs on somebody's sign-up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Weight {
    /// Sign-up opens so much later for them.
    pub delay: TimeDelta,
    /// Their place among those who wait: below the others when negative.
    pub priority: i64,
}

/// An activity whose places are being given.
pub struct Ground {
    /// The locked row.
    pub activity: Activity,
    tree: Tree,
    waves: Vec<Wave>,
    profiles: HashMap<PersonId, Profile>,
    weights: HashMap<PersonId, Weight>,
    /// Who has a place elsewhere at the same time, of an activity that refuses them.
    clashing: HashSet<PersonId>,
    /// Who is a verified member, of an activity for members only.
    members: HashSet<PersonId>,
    /// How many wait, by the leaf at which they queue and their priority.
    queues: HashMap<(NodeAt, i64), i64>,
    draw: Option<FairDraw>,
    roles: HashMap<AttendanceRole, bool>,
    numbered: i64,
    new: Vec<Signup>,
    freed: bool,
}

impl Ground {
    /// The ground of a locked activity, with what matters of `people` who want a place.
    pub fn load(
        conn: &mut Conn,
        activity: Activity,
        people: &[PersonId],
        now: DateTime<Utc>,
    ) -> Result<Self> {
        let quotas = if activity.split { offering::store::quotas_of(conn, activity.id)? } else { Vec::new() };
        let tree = Tree::new(&activity, quotas);
        let waves = activity.waves()?;
        let mut queues = HashMap::new();
        if activity.waiting_list != WaitingPolicy::None {
            for (quota, priority, number) in waiting::queue_lengths(conn, activity.id)? {
                *queues.entry((tree.find(quota), priority)).or_default() += number;
            }
        }
        let draw = if activity.fair_minutes > 0 { offering::fair::get(conn, activity.id)? } else { None };
        let mut ground = Self {
            tree,
            waves,
            profiles: HashMap::new(),
            weights: HashMap::new(),
            clashing: HashSet::new(),
            members: HashSet::new(),
            queues,
            draw,
            roles: HashMap::new(),
            numbered: 0,
            new: Vec::new(),
            freed: false,
            activity,
        };
        ground.admit(conn, people, now)?;
        Ok(ground)
    }

    /// The places.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// The promised shuffle, if its time has come and nobody has done it.
    pub fn due_draw(&self, now: DateTime<Utc>) -> Option<&FairDraw> {
        let due = now >= rules::draw_at(&self.activity);
        self.draw.as_ref().filter(|draw| due && draw.drawn_at.is_none())
    }

    /// The shuffle is done.
    pub fn drawn(&mut self) {
        self.draw = None;
    }

    /// Reads what matters of more people.
    pub fn admit(&mut self, conn: &mut Conn, people: &[PersonId], now: DateTime<Utc>) -> Result<()> {
        if people.is_empty() {
            return Ok(());
        }
        if self.activity.split || !self.waves.is_empty() {
            self.profiles.extend(profile::profiles(conn, people)?);
        }
        self.weights.extend(store::weights(conn, &self.activity, people, now)?);
        if self.activity.own_clash == OwnClash::Deny {
            self.clashing.extend(store::clashing(conn, &self.activity, people)?);
        }
        if self.activity.members_only {
            self.members.extend(memberships::verified(conn, people)?.into_keys());
        }
        Ok(())
    }

    /// Below 0 for whoever comes after the others on the waiting list.
    pub fn priority(&self, person: PersonId) -> i64 {
        self.weight(person).priority
    }

    /// A place for somebody whose turn the shuffle says it is; none when there is neither place nor queue.
    pub fn place_drawn(&mut self, conn: &mut Conn, person: PersonId) -> Result<Option<Placement>> {
        let leaves = self.tree.leaves(&self.profile(person));
        let Some(own) = leaves.first().copied() else { return Ok(None) };
        match self.seat(conn, &leaves, own, self.priority(person)) {
            Ok(placement) => Ok(Some(placement)),
            Err(refusal) if refusal.code() == Code::SignupFull => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn profile(&self, person: PersonId) -> Profile {
        self.profiles.get(&person).cloned().unwrap_or_default()
    }

    fn weight(&self, person: PersonId) -> Weight {
        self.weights.get(&person).copied().unwrap_or_default()
    }

    /// Finds a place for somebody who has no live sign-up; it is taken in the tree.
    ///
    /// # Errors
    /// The refusal: not open yet, closed, for members only, not covered, a clash, or full, naming the quotas that are used up.
    pub fn place(&mut self, conn: &mut Conn, person: PersonId, now: DateTime<Utc>) -> Result<Placement> {
        let (profile, weight) = (self.profile(person), self.weight(person));
        let opens = rules::opens_for(&self.activity, &self.waves, &profile, weight.delay);
        rules::window(&self.activity, opens, now)?;
        self.for_members(person)?;
        if self.clashing.contains(&person) {
            return Err(Error::new(Code::SignupClash));
        }
        let leaves = self.tree.leaves(&profile);
        let Some(own) = leaves.first().copied() else { return Err(Error::new(Code::SignupNotCovered)) };
        if self.activity.allocation == Allocation::Review {
            return Ok(Placement::Applied);
        }
        if self.draw.as_ref().is_some_and(|draw| draw.drawn_at.is_none())
            && rules::is_shuffled(&self.activity, now)
        {
            return Ok(Placement::Entered);
        }
        self.seat(conn, &leaves, own, weight.priority)
    }

    /// Refuses whoever is no verified member, of an activity for members only.
    fn for_members(&self, person: PersonId) -> Result<()> {
        if self.activity.members_only && !self.members.contains(&person) {
            return Err(Error::new(Code::MembersOnly));
        }
        Ok(())
    }

    /// A place on one of `leaves`, or in the queue of `own`.
    fn seat(&mut self, conn: &mut Conn, leaves: &[NodeAt], own: NodeAt, priority: i64) -> Result<Placement> {
        for leaf in leaves {
            if !self.is_queued_for(*leaf) && self.tree.bind(*leaf, Bound::Taken) {
                return Ok(Placement::Confirmed(*leaf));
            }
        }
        if self.activity.waiting_list == WaitingPolicy::None {
            return Err(self.full(conn, leaves)?);
        }
        *self.queues.entry((own, priority)).or_default() += 1;
        // Whoever joins may fit where those before them do not.
        self.freed |= self.activity.waiting_list == WaitingPolicy::Fill;
        Ok(Placement::Waiting(own))
    }

    /// Whether somebody waits who could use a place on this leaf: a newcomer must not pass them.
    fn is_queued_for(&self, leaf: NodeAt) -> bool {
        let pool = self.tree.node(leaf).and_then(|node| node.quota.as_ref());
        let everybodys = pool.is_some_and(|quota| quota.kind == QuotaKind::Pool);
        self.queues.iter().any(|((at, _), number)| *number > 0 && (everybodys || *at == leaf))
    }

    fn full(&self, conn: &mut Conn, leaves: &[NodeAt]) -> Result<Error> {
        let mut limits: Vec<NodeAt> = leaves.iter().filter_map(|leaf| self.tree.limit(*leaf)).collect();
        limits.sort_unstable();
        limits.dedup();
        if limits == [0] || limits.is_empty() {
            return Ok(Error::new(Code::SignupFull));
        }
        let organisations: Vec<_> =
            limits.iter().filter_map(|at| self.tree.node(*at)?.quota.as_ref()?.organisation_id).collect();
        let names = org::store::short_names(conn, &organisations)?;
        let named: Vec<(String, String, i64)> = limits
            .iter()
            .filter_map(|at| self.tree.node(*at))
            .map(|node| {
                let (zh, en) = tree::label(node, &names);
                (zh, en, node.capacity())
            })
            .collect();
        Ok(rules::full(&named))
    }

    /// How many wait at a leaf who come before somebody who joins with `priority`.
    pub fn queued_before(&self, leaf: NodeAt, priority: i64) -> i64 {
        self.queues
            .iter()
            .filter(|((at, of), _)| *at == leaf && *of >= priority)
            .map(|(_, number)| number)
            .sum()
    }

    /// A new sign-up as `placement` says, numbered; inserted by [`Self::settle_in_tx`].
    pub fn enrol(
        &mut self,
        id: SignupId,
        person: PersonId,
        placement: Placement,
        now: DateTime<Utc>,
    ) -> Signup {
        let (state, leaf) = match placement {
            Placement::Confirmed(leaf) => (SignupState::Confirmed, Some(leaf)),
            Placement::Waiting(leaf) => (SignupState::Waiting, Some(leaf)),
            Placement::Entered => (SignupState::Entered, None),
            Placement::Applied => (SignupState::Applied, None),
        };
        let mut row = Signup::new(id, self.activity.id, person, state, self.next_number(), now);
        row.quota_id = leaf.and_then(|leaf| self.tree.quota(leaf));
        row.priority = self.weight(person).priority;
        row
    }

    /// Keeps a new row for [`Self::settle_in_tx`].
    pub fn add(&mut self, row: Signup) {
        self.new.push(row);
    }

    /// The next number of arrival.
    pub fn next_number(&mut self) -> i64 {
        self.numbered += 1;
        self.activity.numbered + self.numbered
    }

    /// Keeps a place for somebody whom their union signs up. Nobody who waits is passed.
    ///
    /// # Errors
    /// Not covered, or full.
    pub fn hold(&mut self, conn: &mut Conn, person: PersonId) -> Result<NodeAt> {
        let profile = self.profile(person);
        self.hold_as(conn, &profile)
    }

    /// [`Self::hold`] for somebody of whom nothing but `profile` is known yet.
    ///
    /// # Errors
    /// Not covered, or full.
    pub fn hold_as(&mut self, conn: &mut Conn, profile: &Profile) -> Result<NodeAt> {
        let leaves = self.tree.leaves(profile);
        if leaves.is_empty() {
            return Err(Error::new(Code::SignupNotCovered));
        }
        for leaf in &leaves {
            if !self.is_queued_for(*leaf) && self.tree.bind(*leaf, Bound::Held) {
                return Ok(*leaf);
            }
        }
        Err(self.full(conn, &leaves)?)
    }

    /// Gives back a place of `quota` that was kept for somebody who was never named.
    pub fn let_go(&mut self, quota: Option<QuotaId>) {
        self.tree.unbind(self.tree.find(quota), Bound::Held);
        self.freed = true;
    }

    /// Places may be free that were not: [`Self::settle_in_tx`] looks at those who wait.
    pub fn reconsider(&mut self) {
        self.freed = true;
    }

    /// Ends a sign-up: its place is free again, its open offer is over. False when it is not in `row`'s state any more.
    pub fn end_in_tx(
        &mut self,
        conn: &mut Conn,
        row: &Signup,
        because: Ending,
        now: DateTime<Utc>,
    ) -> Result<bool> {
        if !store::end_in_tx(conn, row, because, now)? {
            return Ok(false);
        }
        if row.state.holds() {
            let state = match because {
                Ending::OfferExpired => OfferState::Expired,
                Ending::Person | Ending::OfferRefused => OfferState::Refused,
                _ => OfferState::Withdrawn,
            };
            waiting::offer_close_in_tx(conn, row.id, state, now)?;
        }
        let leaf = self.tree.find(row.quota_id);
        match row.state {
            SignupState::Waiting => {
                if let Some(number) = self.queues.get_mut(&(leaf, row.priority)) {
                    *number -= 1;
                }
                // With one less before them, a party behind may fit.
                self.freed = true;
            }
            SignupState::Offered | SignupState::Confirmed | SignupState::Attended
                if self.takes_place(conn, row.role)? =>
            {
                self.tree.unbind(leaf, if row.state.holds() { Bound::Held } else { Bound::Taken });
                self.freed = true;
            }
            _ => {}
        }
        Ok(true)
    }

    /// The kept place of an accepted offer is used from now on. False when the offer is not open any more.
    pub fn accept_in_tx(&mut self, conn: &mut Conn, row: &Signup, now: DateTime<Utc>) -> Result<bool> {
        if !waiting::offer_accept_in_tx(conn, row.id, now)? || !store::confirm_in_tx(conn, row)? {
            return Ok(false);
        }
        if self.takes_place(conn, row.role)? {
            let leaf = self.tree.find(row.quota_id);
            self.tree.unbind(leaf, Bound::Held);
            if !self.tree.bind(leaf, Bound::Taken) {
                return Err(Error::internal(format!("the kept place of {} is gone", row.id)));
            }
        }
        Ok(true)
    }

    /// A place for somebody whose request is approved, or a place in the queue in the order in which they came. Nobody who
    /// waits is passed. None when the sign-up is not in `row`'s state any more.
    ///
    /// # Errors
    /// No member any more, a clash, not covered, or full: the request stands as before.
    pub fn promote_in_tx(&mut self, conn: &mut Conn, row: &Signup) -> Result<Option<Signup>> {
        self.for_members(row.person_id)?;
        if self.clashing.contains(&row.person_id) {
            return Err(Error::new(Code::SignupClash));
        }
        let leaves = self.tree.leaves(&self.profile(row.person_id));
        let Some(own) = leaves.first().copied() else { return Err(Error::new(Code::SignupNotCovered)) };
        let priority = self.priority(row.person_id);
        let (state, leaf) = match self.seat(conn, &leaves, own, priority)? {
            Placement::Waiting(leaf) => (SignupState::Waiting, leaf),
            Placement::Confirmed(leaf) => (SignupState::Confirmed, leaf),
            Placement::Entered | Placement::Applied => {
                return Err(Error::internal("a seat is a place or a wait"));
            }
        };
        let after = Signup {
            state,
            priority,
            quota_id: self.tree.quota(leaf),
            ended_because: None,
            cancelled_at: None,
            version: row.version + 1,
            ..row.clone()
        };
        Ok(store::promote_in_tx(conn, row, &after)?.then_some(after))
    }

    fn takes_place(&mut self, conn: &mut Conn, role: AttendanceRole) -> Result<bool> {
        if role == AttendanceRole::Participant {
            return Ok(true);
        }
        if self.roles.is_empty() {
            self.roles = offering::store::roles(conn)?
                .into_iter()
                .map(|(code, meaning)| (code, meaning.takes_place))
                .collect();
        }
        Ok(self.roles.get(&role).copied().unwrap_or(true))
    }

    /// Inserts what is new, asks those whose turn it is, and writes the counts.
    pub fn settle_in_tx(
        mut self,
        conn: &mut Conn,
        ids: &Ids,
        now: DateTime<Utc>,
        beside: &mut Beside,
    ) -> Result<()> {
        store::insert_in_tx(conn, &self.new)?;
        if self.freed && self.activity.waiting_list != WaitingPolicy::None && self.tree.free(0) > 0 {
            let terms = terms::on(conn, now)?;
            waiting::ask_in_tx(conn, ids, &self.activity, &mut self.tree, terms, now, beside)?;
        }
        let (mut total, below) = self.tree.moves();
        total.numbered = self.numbered;
        offering::store::places_move_in_tx(conn, self.activity.id, total)?;
        for (quota, by) in below {
            offering::store::quota_move_in_tx(conn, quota, by)?;
        }
        Ok(())
    }
}
