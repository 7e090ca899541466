use std::collections::BTreeSet;
use std::sync::Arc;

use super::functions::Function;
use super::node::{Binary, Node, Op, Root, Who, children};
use super::types::Member;
use super::value::Val;

/// What a rule reads: when none of it changes, its value does not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reads {
    /// Fields of the manifest, by their first name below `identity.` (`department`, `name`, `emails`); sorted.
    pub fields: Vec<&'static str>,
    /// Custom attributes named by constants; sorted.
    pub attributes: Vec<Arc<str>>,
    /// Custom attributes that no constant names: any of them may matter.
    pub every_attribute: bool,
    /// `identity.groups` as a list: any membership may matter, not those of [`super::Rule::groups`] alone.
    pub every_group: bool,
    /// Anything of the manager.
    pub manager: bool,
    /// `identity.state`.
    pub state: bool,
    /// `application.name`.
    pub application: bool,
}

impl Reads {
    pub(super) fn of(root: &Node) -> Self {
        let mut reads = Self::default();
        let (mut fields, mut attributes) = (BTreeSet::new(), BTreeSet::new());
        reads.collect(root, &mut fields, &mut attributes);
        reads.fields = fields.into_iter().collect();
        reads.attributes = attributes.into_iter().collect();
        reads
    }

    fn collect(&mut self, node: &Node, fields: &mut BTreeSet<&'static str>, attributes: &mut BTreeSet<Arc<str>>) {
        let key = match &node.op {
            Op::Key(map, key) => own_attributes(map).then(|| Arc::clone(key)),
            Op::Binary(Binary::In, ab) => {
                let [key, map] = &**ab;
                constant(key).filter(|_| own_attributes(map))
            }
            Op::OptIndex(ab) => {
                let [map, key] = &**ab;
                constant(key).filter(|_| own_attributes(map))
            }
            _ => None,
        };
        if let Some(key) = key {
            attributes.insert(key);
            return;
        }
        match &node.op {
            Op::Of(Who::Manager, _) => self.manager = true,
            Op::Of(Who::Identity, member) => self.member(*member, fields),
            Op::OptField(of, member) if matches!(of.op, Op::Root(Root::Identity)) => self.member(*member, fields),
            Op::Call(Function::PrimaryEmail, args) if args.iter().any(|a| matches!(a.op, Op::Root(Root::Identity))) => {
                self.member(Member::Emails, fields);
            }
            Op::Root(Root::Application) => self.application = true,
            _ => {}
        }
        for child in children(node) {
            self.collect(child, fields, attributes);
        }
    }

    fn member(&mut self, member: Member, fields: &mut BTreeSet<&'static str>) {
        match member {
            Member::Manager => self.manager = true,
            Member::Groups => self.every_group = true,
            Member::State => self.state = true,
            Member::Attributes => self.every_attribute = true,
            member => fields.extend(member.manifest_name()),
        }
    }
}

fn own_attributes(node: &Node) -> bool {
    matches!(node.op, Op::Of(Who::Identity, Member::Attributes))
}

fn constant(node: &Node) -> Option<Arc<str>> {
    match &node.op {
        Op::Const(Val::Text(text)) => Some(text.as_str().into()),
        _ => None,
    }
}
