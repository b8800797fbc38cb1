//! The tree of places: an activity's total, and the quotas below it. Pure.
//!
//! A person takes a place on a leaf, and on every node above it: a place is free only if all of them have one. Which
//! leaf that is follows from who the person is: at each level the first node that is for them, and after it the pool,
//! which is for everybody. Where a node has children and none is for a person, there is no place for them there.

use std::collections::HashMap;

use super::profile::Profile;
use crate::ids::{OrganisationId, QuotaId};
use crate::offering::model::{Activity, Quota, QuotaKind};
use crate::offering::store::PlacesMove;

/// A node's place in the tree; 0 is the total.
pub type NodeAt = usize;

/// A node with its use.
#[derive(Debug, Clone)]
pub struct Node {
    /// The quota; none for the total.
    pub quota: Option<Quota>,
    parent: Option<NodeAt>,
    capacity: i64,
    taken: i64,
    held: i64,
    moved: PlacesMove,
}

impl Node {
    /// Places that nobody uses and nobody is asked about.
    pub fn free(&self) -> i64 {
        (self.capacity - self.taken - self.held).max(0)
    }

    /// Places.
    pub fn capacity(&self) -> i64 {
        self.capacity
    }
}

/// How a place is bound: used, or kept for somebody who has yet to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// Used.
    Taken,
    /// Kept.
    Held,
}

/// An activity's places, as they stand and as they have been moved since.
#[derive(Debug, Clone)]
pub struct Tree {
    nodes: Vec<Node>,
    at: HashMap<QuotaId, NodeAt>,
}

impl Tree {
    /// The tree of `activity` with its quotas, parents before children or not.
    pub fn new(activity: &Activity, quotas: Vec<Quota>) -> Self {
        let total = Node {
            quota: None,
            parent: None,
            capacity: activity.bookable,
            taken: activity.taken,
            held: activity.held,
            moved: PlacesMove::default(),
        };
        let at: HashMap<QuotaId, NodeAt> =
            (1..).zip(&quotas).map(|(place, quota)| (quota.id, place)).collect();
        let mut nodes = vec![total];
        nodes.extend(quotas.into_iter().map(|quota| Node {
            parent: Some(quota.parent_id.and_then(|parent| at.get(&parent).copied()).unwrap_or(0)),
            capacity: quota.capacity,
            taken: quota.taken,
            held: quota.held,
            moved: PlacesMove::default(),
            quota: Some(quota),
        }));
        Self { nodes, at }
    }

    /// A node.
    pub fn node(&self, at: NodeAt) -> Option<&Node> {
        self.nodes.get(at)
    }

    /// All nodes with their places in the tree, the total first.
    pub fn nodes(&self) -> impl Iterator<Item = (NodeAt, &Node)> {
        self.nodes.iter().enumerate()
    }

    /// Where a quota stands; the total for none.
    pub fn find(&self, quota: Option<QuotaId>) -> NodeAt {
        quota.and_then(|id| self.at.get(&id).copied()).unwrap_or(0)
    }

    /// The quota of a node; none for the total.
    pub fn quota(&self, at: NodeAt) -> Option<QuotaId> {
        self.nodes.get(at).and_then(|node| node.quota.as_ref()).map(|quota| quota.id)
    }

    /// The leaves on which a person could have a place, in the order in which they are tried. Empty when no quota
    /// is for them.
    pub fn leaves(&self, profile: &Profile) -> Vec<NodeAt> {
        let mut found = Vec::new();
        self.descend(0, profile, &mut found);
        found
    }

    fn descend(&self, from: NodeAt, profile: &Profile, found: &mut Vec<NodeAt>) {
        let mut children = self.children(from).peekable();
        if children.peek().is_none() {
            found.push(from);
            return;
        }
        let (mut own, mut pools) = (None, Vec::new());
        for (at, quota) in children {
            if quota.kind == QuotaKind::Pool {
                pools.push(at);
            } else if own.is_none() && profile.is_in(quota.kind, quota.organisation_id, quota.audience) {
                own = Some(at);
            }
        }
        for at in own.into_iter().chain(pools) {
            self.descend(at, profile, found);
        }
    }

    fn children(&self, of: NodeAt) -> impl Iterator<Item = (NodeAt, &Quota)> {
        self.nodes
            .iter()
            .enumerate()
            .filter(move |(_, node)| node.parent == Some(of))
            .filter_map(|(at, node)| node.quota.as_ref().map(|quota| (at, quota)))
    }

    /// Whether nothing stands below a node.
    pub fn is_leaf(&self, at: NodeAt) -> bool {
        self.children(at).next().is_none()
    }

    /// The nodes from a leaf up to the total.
    fn chain(&self, leaf: NodeAt) -> Vec<NodeAt> {
        let mut chain = Vec::new();
        let mut at = Some(leaf);
        while let Some(node) = at
            && chain.len() <= self.nodes.len()
        {
            chain.push(node);
            at = self.nodes.get(node).and_then(|node| node.parent);
        }
        chain
    }

    /// The first node from the leaf upwards that has no place left; none when all of them have.
    pub fn limit(&self, leaf: NodeAt) -> Option<NodeAt> {
        self.chain(leaf).into_iter().find(|at| self.nodes.get(*at).is_none_or(|node| node.free() == 0))
    }

    /// How many more places can be had on a leaf.
    pub fn free(&self, leaf: NodeAt) -> i64 {
        self.chain(leaf).into_iter().filter_map(|at| self.nodes.get(at)).map(Node::free).min().unwrap_or(0)
    }

    /// Takes or keeps a place on a leaf and above it. False, and nothing is changed, when one has none left.
    pub fn bind(&mut self, leaf: NodeAt, bound: Bound) -> bool {
        if self.limit(leaf).is_some() {
            return false;
        }
        self.shift(leaf, bound, 1);
        true
    }

    /// Gives a place of a leaf back.
    pub fn unbind(&mut self, leaf: NodeAt, bound: Bound) {
        self.shift(leaf, bound, -1);
    }

    fn shift(&mut self, leaf: NodeAt, bound: Bound, by: i64) {
        for at in self.chain(leaf) {
            let Some(node) = self.nodes.get_mut(at) else { continue };
            let (count, moved) = match bound {
                Bound::Taken => (&mut node.taken, &mut node.moved.taken),
                Bound::Held => (&mut node.held, &mut node.moved.held),
            };
            *count += by;
            *moved += by;
        }
    }

    /// By how much the total and each quota have been moved.
    pub fn moves(&self) -> (PlacesMove, Vec<(QuotaId, PlacesMove)>) {
        let total = self.nodes.first().map(|node| node.moved).unwrap_or_default();
        let mut below: Vec<(QuotaId, PlacesMove)> = self
            .nodes
            .iter()
            .filter(|node| node.moved != PlacesMove::default())
            .filter_map(|node| node.quota.as_ref().map(|quota| (quota.id, node.moved)))
            .collect();
        below.sort_by_key(|(id, _)| *id);
        (total, below)
    }
}

/// The name of a node for people, Chinese and English: what a refusal says is used up.
pub fn label(node: &Node, names: &HashMap<OrganisationId, String>) -> (String, String) {
    let Some(quota) = &node.quota else { return ("总".into(), "total".into()) };
    let organisation = quota.organisation_id.and_then(|id| names.get(&id)).cloned().unwrap_or_default();
    match quota.kind {
        QuotaKind::Street | QuotaKind::Industry => (organisation.clone(), organisation),
        QuotaKind::Audience => {
            let audience = quota.audience.map(|audience| audience.as_str()).unwrap_or_default();
            (super::rules::audience_name(quota.audience).into(), audience.into())
        }
        QuotaKind::Pool => ("公共".into(), "public pool".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{ActivityId, ProgrammeId};
    use crate::offering::model::Audience;
    use proptest::prelude::*;
    use uuid::Uuid;

    fn quota(number: u128, parent: Option<u128>, kind: QuotaKind, capacity: i64) -> Quota {
        Quota {
            id: QuotaId(Uuid::from_u128(number)),
            activity_id: ActivityId(Uuid::from_u128(1)),
            parent_id: parent.map(|number| QuotaId(Uuid::from_u128(number))),
            kind,
            organisation_id: matches!(kind, QuotaKind::Street | QuotaKind::Industry)
                .then(|| OrganisationId(Uuid::from_u128(number))),
            audience: (kind == QuotaKind::Audience).then_some(Audience::ModelWorker),
            rank: i64::try_from(number).unwrap(),
            capacity,
            taken: 0,
            held: 0,
            version: 1,
        }
    }

    fn tree(total: i64, quotas: Vec<Quota>) -> Tree {
        let id = |number| Uuid::from_u128(number);
        let mut activity = Activity::draft(
            ActivityId(id(1)),
            ProgrammeId(id(2)),
            OrganisationId(id(3)),
            chrono::DateTime::UNIX_EPOCH,
        );
        activity.bookable = total;
        Tree::new(&activity, quotas)
    }

    fn worker(street: u128, audiences: &[Audience]) -> Profile {
        let street = OrganisationId(Uuid::from_u128(street));
        Profile { street: Some(street), above: vec![street], audiences: audiences.to_vec() }
    }

    #[test]
    fn without_quotas_there_is_the_total() {
        let mut tree = tree(1, vec![]);
        assert_eq!(tree.leaves(&Profile::default()), [0]);
        assert!(tree.bind(0, Bound::Taken));
        assert!(!tree.bind(0, Bound::Held));
        assert_eq!(tree.moves(), (PlacesMove { taken: 1, held: 0, numbered: 0 }, vec![]));
    }

    #[test]
    fn own_quota_first_then_the_pool_and_nothing_for_strangers() {
        let quotas = vec![
            quota(10, None, QuotaKind::Street, 1),
            quota(11, Some(10), QuotaKind::Audience, 1),
            quota(20, None, QuotaKind::Street, 5),
        ];
        let closed = tree(9, quotas.clone());
        assert_eq!(closed.leaves(&worker(20, &[])), [3]);
        assert_eq!(closed.leaves(&worker(10, &[Audience::ModelWorker])), [2]);
        assert_eq!(closed.leaves(&worker(10, &[])), [] as [usize; 0]);
        assert_eq!(closed.leaves(&worker(77, &[])), [] as [usize; 0]);
        let mut with_pool = quotas;
        with_pool.push(quota(30, None, QuotaKind::Pool, 2));
        let open = tree(9, with_pool);
        assert_eq!(open.leaves(&worker(10, &[Audience::ModelWorker])), [2, 4]);
        assert_eq!(open.leaves(&worker(77, &[])), [4]);
    }

    #[test]
    fn the_limit_is_the_lowest_node_that_is_used_up() {
        let mut tree =
            tree(2, vec![quota(10, None, QuotaKind::Street, 5), quota(11, Some(10), QuotaKind::Audience, 1)]);
        assert_eq!(tree.limit(2), None);
        assert!(tree.bind(2, Bound::Held));
        assert_eq!(tree.limit(2), Some(2));
        assert!(tree.bind(0, Bound::Taken));
        tree.unbind(2, Bound::Held);
        assert!(tree.bind(2, Bound::Taken));
        tree.unbind(2, Bound::Taken);
        assert!(tree.bind(0, Bound::Taken));
        assert_eq!(tree.limit(2), Some(0));
    }

    proptest! {
        #[test]
        fn no_history_goes_beyond_any_node(
            caps in prop::array::uniform5(0_i64..4),
            acts in prop::collection::vec((0_usize..6, any::<bool>(), any::<bool>()), 0..60),
        ) {
            let mut tree = tree(caps[0], vec![
                quota(10, None, QuotaKind::Street, caps[1]),
                quota(11, Some(10), QuotaKind::Audience, caps[2]),
                quota(20, None, QuotaKind::Street, caps[3]),
                quota(30, None, QuotaKind::Pool, caps[4]),
            ]);
            let mut bound: Vec<(usize, Bound)> = Vec::new();
            for (leaf, hold, back) in acts {
                let leaf = [0, 2, 3, 4, 2, 3][leaf];
                let how = if hold { Bound::Held } else { Bound::Taken };
                if back {
                    if let Some(place) = bound.iter().position(|one| *one == (leaf, how)) {
                        bound.swap_remove(place);
                        tree.unbind(leaf, how);
                    }
                } else if tree.bind(leaf, how) {
                    bound.push((leaf, how));
                }
                for (_, node) in tree.nodes() {
                    prop_assert!(node.taken >= 0 && node.held >= 0 && node.taken + node.held <= node.capacity);
                }
                let total = i64::try_from(bound.len()).unwrap();
                prop_assert_eq!(tree.nodes[0].taken + tree.nodes[0].held, total);
            }
        }
    }
}
