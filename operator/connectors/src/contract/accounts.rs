//! What is promised of accounts.

use std::collections::BTreeSet;

use provost_core::model::{Attributes, DeleteMeans, Step, TargetError, TargetId, Value};

use super::{Run, Seen, ensure, text};

impl Run<'_> {
    pub(super) async fn round_trip(&self) -> Seen {
        let words = &self.contract.words;
        let mut more = vec![
            (words.external_id, "E-1001".into()),
            (words.title, "Analyst".into()),
            (words.department, "Engineering".into()),
            (words.given_name, "Ada".into()),
            (words.emails)(&["ada@acme.test", "ada@home.test"]),
        ];
        more.extend((words.full)());
        let attributes = self.new_account("ada", &more);
        let step = Step::CreateAccount { attributes: attributes.clone(), enabled: true, password: true };
        let applied = self.must(step).await?;
        let id = applied.id.ok_or("a create without an id")?;
        let account = self.read(&id).await?;
        ensure(account.enabled, || "it is disabled".into())?;
        self.holds(&account, &attributes)?;
        if let Some(observed) = applied.observed {
            self.holds(&observed, &attributes)?;
        }
        let listed = self.accounts().await?;
        let listed = listed.get(&id).ok_or("the listing does not have it")?;
        self.holds(listed, &attributes)
    }

    pub(super) async fn finds(&self) -> Seen {
        let words = &self.contract.words;
        let id = self.create("finds", &[(words.external_id, "E-finds".into())]).await?;
        for enabled in [true, false] {
            if !enabled {
                self.must(Step::DisableAccount { id: id.clone() }).await?;
            }
            for (attribute, value) in
                [(self.schema.user_name, self.login("finds")), (words.external_id, "E-finds".to_owned())]
            {
                let found = self.find(attribute, &value).await?;
                ensure(found == [id.clone()], || format!("by {attribute}, enabled {enabled}: {found:?}"))?;
            }
        }
        let nobody = self.find(self.schema.user_name, &self.login("nobody")).await?;
        ensure(nobody.is_empty(), || text("nobody was found", nobody))
    }

    pub(super) async fn updates(&self) -> Seen {
        let words = &self.contract.words;
        let before = [(words.title, "Analyst".into()), (words.department, "Old".into())];
        let id = self.create("updates", &before).await?;
        let (emails, email) = (words.emails)(&["new@acme.test"]);
        let set: Attributes =
            [(words.title.into(), "Boss".into()), (words.given_name.into(), "Ada".into()), (emails.into(), email)]
                .into();
        for _ in 0..2 {
            self.must(Step::UpdateAccount { id: id.clone(), set: set.clone() }).await?;
            let account = self.read(&id).await?;
            self.holds(&account, &set)?;
            self.holds(&account, &self.attributes("updates", &[(words.department, "Old".into())]))?;
        }
        Ok(())
    }

    pub(super) async fn clears(&self) -> Seen {
        let words = &self.contract.words;
        let before =
            [(words.title, "Analyst".into()), (words.department, "Old".into()), (words.given_name, "Ada".into())];
        let id = self.create("clears", &before).await?;
        let nothing = [(words.title, Value::Null), (words.department, "".into()), (words.never_set, Value::Null)];
        let set: Attributes = nothing.into_iter().map(|(name, value)| (name.into(), value)).collect();
        for _ in 0..2 {
            self.must(Step::UpdateAccount { id: id.clone(), set: set.clone() }).await?;
            let account = self.read(&id).await?;
            self.holds(&account, &set)?;
            self.holds(&account, &self.attributes("clears", &[(words.given_name, "Ada".into())]))?;
        }
        Ok(())
    }

    pub(super) async fn renames(&self) -> Seen {
        let id = self.create("renames", &[(self.contract.words.title, "Analyst".into())]).await?;
        let set = self.attributes("renamed", &[]);
        for _ in 0..2 {
            self.must(Step::RenameAccount { id: id.clone(), set: set.clone() }).await?;
        }
        self.holds(
            &self.read(&id).await?,
            &self.attributes("renamed", &[(self.contract.words.title, "Analyst".into())]),
        )?;
        let (old, new) = (
            self.find(self.schema.user_name, &self.login("renames")).await?,
            self.find(self.schema.user_name, &self.login("renamed")).await?,
        );
        ensure(old.is_empty() && new == [id], || format!("old {old:?}, new {new:?}"))
    }

    pub(super) async fn disables(&self) -> Seen {
        let id = self.create("disables", &[(self.contract.words.title, "Analyst".into())]).await?;
        for enabled in [false, false, true, true] {
            let id = id.clone();
            self.must(if enabled { Step::EnableAccount { id } } else { Step::DisableAccount { id } }).await?;
            let account = self
                .read(&self.find(self.schema.user_name, &self.login("disables")).await?.pop().ok_or("hidden")?)
                .await?;
            ensure(account.enabled == enabled, || format!("asked for enabled {enabled}"))?;
            self.holds(&account, &self.attributes("disables", &[(self.contract.words.title, "Analyst".into())]))?;
        }
        Ok(())
    }

    pub(super) async fn creates_disabled(&self) -> Seen {
        let attributes = self.new_account("sleeper", &[]);
        let applied = self.must(Step::CreateAccount { attributes, enabled: false, password: true }).await?;
        let account = self.read(&applied.id.ok_or("a create without an id")?).await?;
        ensure(!account.enabled, || "it is enabled".into())
    }

    pub(super) async fn conflicts(&self) -> Seen {
        let id = self.create("conflicts", &[]).await?;
        let (attributes, renamed) = (self.new_account("conflicts", &[]), self.attributes("conflicts", &[]));
        let again = self.apply(Step::CreateAccount { attributes, enabled: true, password: true }).await;
        ensure(again == Err(TargetError::Conflict), || text("the create", again))?;
        let found = self.find(self.schema.user_name, &self.login("conflicts")).await?;
        ensure(found == [id], || text("found", found))?;
        let other = self.create("conflicts-too", &[]).await?;
        let renamed = self.apply(Step::RenameAccount { id: other, set: renamed }).await;
        ensure(renamed == Err(TargetError::Conflict), || text("the rename", renamed))
    }

    pub(super) async fn deletes(&self) -> Seen {
        let id = self.create("deletes", &[]).await?;
        for _ in 0..2 {
            match self.apply(Step::DeleteAccount { id: id.clone() }).await {
                Ok(_) => {}
                Err(TargetError::Unsupported(_)) => {
                    let measured = self.probe().await?.capabilities.delete;
                    return ensure(measured == DeleteMeans::Denied, || text("refused, and measured as", measured));
                }
                Err(error) => return Err(text("DeleteAccount", error)),
            }
        }
        let (read, _) = self.target.read(&id).await;
        let (found, read) =
            (self.find(self.schema.user_name, &self.login("deletes")).await?, read.map_err(|e| e.to_string())?);
        match self.probe().await?.capabilities.delete {
            DeleteMeans::Hard => ensure(read.is_none() && found.is_empty(), || format!("{read:?} {found:?}")),
            DeleteMeans::Deactivate => ensure(read.is_some_and(|account| !account.enabled), || "still enabled".into()),
            DeleteMeans::Denied => Err("carried out, and measured as denied".into()),
        }
    }

    pub(super) async fn not_found(&self) -> Seen {
        let nobody = TargetId::from("6b86b273-0000-4000-8000-ffffffffffff");
        let (read, _) = self.target.read(&nobody).await;
        ensure(read == Ok(None), || text("read", read))?;
        let set: Attributes = [(self.contract.words.title.into(), "Boss".into())].into();
        let steps = [
            Step::UpdateAccount { id: nobody.clone(), set },
            Step::DisableAccount { id: nobody.clone() },
            Step::AddMembers { group: nobody.clone(), members: vec![nobody.clone()] },
        ];
        for step in steps {
            let (name, outcome) = (step.name(), self.apply(step).await);
            ensure(outcome == Err(TargetError::NotFound), || text(name, outcome))?;
        }
        Ok(())
    }

    pub(super) async fn hostile(&self) -> Seen {
        let names = [
            r#"quo"te"#,
            r"back\slash",
            "two words",
            "per%20cent",
            "sla/sh",
            "Zoë",
            "日本",
            "a'b",
            "x&y=z",
            "q?a#b",
            r#"a" or userName pr or userName eq "b"#,
            "plus+sign",
            "semi;colon,comma",
            "(paren)[bracket]",
        ];
        for name in names {
            let external = format!("E {name}");
            let words = &self.contract.words;
            let more = [(words.external_id, external.as_str().into()), (words.title, name.into())];
            let attributes = self.new_account(name, &more);
            let step = Step::CreateAccount { attributes: attributes.clone(), enabled: true, password: true };
            let applied = self.must(step).await.map_err(|error| format!("{name:?}: {error}"))?;
            let id = applied.id.ok_or("a create without an id")?;
            self.holds(&self.read(&id).await?, &attributes)?;
            for (attribute, value) in [(self.schema.user_name, self.login(name)), (words.external_id, external)] {
                let found = self.find(attribute, &value).await.map_err(|error| format!("{name:?}: {error}"))?;
                ensure(found == [id.clone()], || format!("{attribute} {value:?} finds {found:?}"))?;
            }
        }
        Ok(())
    }

    pub(super) async fn manager(&self) -> Seen {
        let Some(reference) = self.schema.references.first() else { return Ok(()) };
        let grace = self.create("grace", &[]).await?;
        let report = self.create("report", &[(*reference, grace.as_str().into())]).await?;
        let wanted: Attributes = [((*reference).into(), grace.as_str().into())].into();
        self.holds(&self.read(&report).await?, &wanted)?;
        let edward = self.create("edward", &[]).await?;
        let set: Attributes = [((*reference).into(), edward.as_str().into())].into();
        self.must(Step::UpdateAccount { id: report.clone(), set: set.clone() }).await?;
        self.holds(&self.read(&report).await?, &set)?;
        let none: Attributes = [((*reference).into(), Value::Null)].into();
        self.must(Step::UpdateAccount { id: report.clone(), set: none.clone() }).await?;
        self.holds(&self.read(&report).await?, &none)
    }

    pub(super) async fn pages(&self) -> Seen {
        let mut wanted = BTreeSet::new();
        for number in 0..self.contract.crowd {
            wanted.insert(self.create(&format!("crowd-{number:04}"), &[]).await?);
        }
        let listed: BTreeSet<TargetId> = self.accounts().await?.into_keys().collect();
        let missing: Vec<&TargetId> = wanted.difference(&listed).collect();
        ensure(missing.is_empty(), || format!("{} accounts are missing: {missing:?}", missing.len()))
    }
}
