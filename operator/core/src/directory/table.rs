use std::collections::BTreeSet;
use std::marker::PhantomData;

use super::keys::Keys;
use crate::model::Name;

/// A small integer that stands for a name of one kind within a directory.
pub(crate) trait Id: Copy + Ord {
    fn new(index: u32) -> Self;
    fn index(self) -> usize;
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub(crate) struct $name(u32);

        impl Id for $name {
            fn new(index: u32) -> Self {
                Self(index)
            }
            fn index(self) -> usize {
                self.0 as usize
            }
        }
    };
}

id! {
    /// An Identity by name, there or not.
    IdentityId
}
id! {
    /// An AccessPolicy by name, there or not.
    PolicyId
}

impl Id for crate::policy::GroupId {
    fn new(index: u32) -> Self {
        Self(index)
    }
    fn index(self) -> usize {
        self.0 as usize
    }
}

/// What is paired with the first, sorted.
pub(crate) fn second<A: Id, B: Id>(pairs: &BTreeSet<(A, B)>, first: A) -> impl Iterator<Item = B> {
    pairs.range((first, B::new(0))..=(first, B::new(u32::MAX))).map(|(_, second)| *second)
}

/// Names of one kind as integers, each with what is known of it. A name keeps its integer for good: references to an
/// object that is not there (yet) need one too.
#[derive(Debug)]
pub(crate) struct Table<I, T> {
    ids: Keys<u32>,
    names: Vec<Name>,
    slots: Vec<Option<Box<T>>>,
    live: usize,
    kind: PhantomData<I>,
}

impl<I, T> Default for Table<I, T> {
    fn default() -> Self {
        Self { ids: Keys::default(), names: Vec::new(), slots: Vec::new(), live: 0, kind: PhantomData }
    }
}

impl<I: Id, T> Table<I, T> {
    /// The integer of a name, given now if it had none.
    pub fn intern(&mut self, name: &Name) -> I {
        if let Some(id) = self.id(name.as_str()) {
            return id;
        }
        let id = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        self.names.push(name.clone());
        self.ids.insert(name.as_str(), id, text_in(&self.names));
        self.slots.push(None);
        I::new(id)
    }

    /// The integer of a name that was seen before.
    pub fn id(&self, name: &str) -> Option<I> {
        self.ids.get(name, text_in(&self.names)).next().map(I::new)
    }

    /// The name of an integer.
    pub fn name(&self, id: I) -> Option<&Name> {
        self.names.get(id.index())
    }

    /// The object, if it is there.
    pub fn get(&self, id: I) -> Option<&T> {
        self.slots.get(id.index())?.as_deref()
    }

    /// The object, if it is there.
    pub fn get_mut(&mut self, id: I) -> Option<&mut T> {
        self.slots.get_mut(id.index())?.as_deref_mut()
    }

    /// Puts an object in its place, or takes it away; answers what was there.
    pub fn set(&mut self, id: I, object: Option<T>) -> Option<Box<T>> {
        let slot = self.slots.get_mut(id.index())?;
        self.live = self.live + usize::from(object.is_some()) - usize::from(slot.is_some());
        std::mem::replace(slot, object.map(Box::new))
    }

    /// Every object that is there, in the order in which their names were first seen.
    pub fn iter(&self) -> impl Iterator<Item = (I, &Name, &T)> {
        self.names.iter().zip(&self.slots).enumerate().filter_map(|(index, (name, slot))| {
            let id = I::new(u32::try_from(index).unwrap_or(u32::MAX));
            slot.as_deref().map(|object| (id, name, object))
        })
    }

    /// Changes every object that is there.
    pub fn each(&mut self, change: impl FnMut(&mut T)) {
        self.slots.iter_mut().filter_map(Option::as_deref_mut).for_each(change);
    }

    /// Gives back the room for more.
    pub fn shrink(&mut self) {
        self.names.shrink_to_fit();
        self.slots.shrink_to_fit();
    }

    /// How many objects are there.
    pub fn len(&self) -> usize {
        self.live
    }
}

fn text_in<'a>(names: &'a [Name]) -> impl Fn(u32) -> Option<&'a str> {
    |id| names.get(id as usize).map(Name::as_str)
}
