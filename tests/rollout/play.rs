//! Plays a scene: in the default order, or in a random one.

use kube::ResourceExt;
use towpath::plan::{Action, Key};
use towpath::simulate::{Pass, Story, World};

use crate::invariants::Watcher;
use crate::shop::SHOP;

/// What is refused is tried again after so long.
const FIRST: jiff::SignedDuration = jiff::SignedDuration::from_secs(10);
/// Nothing happens for so long: the world has settled. Longer than the deadline of a rollout.
const QUIET: i64 = 30;
/// A scene that has not ended after so many steps will not.
const MOST: usize = 60_000;

/// What a person does, and when.
pub struct Act {
    pub what: &'static str,
    pub when: When,
    pub does: fn(&mut World),
}

/// When a person acts.
#[derive(Clone, Copy)]
pub enum When {
    /// Nothing happens any more.
    Settled,
    /// As soon as this is so.
    Once(fn(&World) -> bool),
}

/// A scene: how it begins, what people do, and how it ends.
pub struct Scene {
    pub name: &'static str,
    pub begin: fn() -> World,
    pub acts: &'static [Act],
    pub end: fn(&World),
}

/// A small generator of numbers; the same seed gives the same ones.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(1))
    }

    pub fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % most as u64).unwrap()
    }
}

/// A scene as it is played.
struct Stage<'a> {
    scene: &'a Scene,
    seed: Option<u64>,
    world: World,
    story: Story,
    watcher: Watcher,
    /// Acts that are still to come.
    next: usize,
    /// The state of the world that was passed over last.
    passed: u64,
    /// When the world changed last, by itself or by Towpath.
    changed: (u64, jiff::Timestamp),
    /// When Towpath wants to look again.
    look_at: Option<jiff::Timestamp>,
}

impl Scene {
    /// Plays it in the default order, and returns its story.
    pub fn tell(&self) -> String {
        let mut stage = Stage::of(self, None);
        for _ in 0..MOST {
            if stage.act(false) {
                continue;
            }
            if stage.must_pass() {
                stage.pass(usize::MAX, true);
            } else if !stage.happen(0) && !stage.wait_or_go_on() {
                return stage.end();
            }
        }
        panic!("no end");
    }

    /// Plays it in a random order.
    pub fn play(&self, seed: u64) {
        let mut dice = Dice::new(seed);
        let mut stage = Stage::of(self, Some(seed));
        for _ in 0..MOST {
            if dice.below(3) == 0 && stage.act(false) {
                continue;
            }
            let most = if dice.below(8) == 0 {
                dice.below(4)
            } else {
                usize::MAX
            };
            match dice.below(16) {
                0..4 if stage.must_pass() => stage.pass(most, false),
                // Somebody touched it, and nothing has changed; or a new controller takes over.
                4 if dice.below(4) == 0 => stage.pass(most, false),
                5 if dice.below(20) == 0 => {
                    stage.world.forget();
                    stage.passed = u64::MAX;
                }
                6..8 => stage.world.wait(1),
                _ => {
                    let quiet = !stage.happen(dice.below(1000)) && !stage.must_pass();
                    if quiet && !stage.wait_or_go_on() {
                        stage.end();
                        return;
                    }
                }
            }
        }
        panic!("no end");
    }
}

impl<'a> Stage<'a> {
    fn of(scene: &'a Scene, seed: Option<u64>) -> Self {
        let world = (scene.begin)();
        let now = world.store.now;
        let mut story = Story::begin(now);
        story.person(&world, "applies App and Environment");
        Self {
            scene,
            seed,
            story,
            watcher: Watcher::default(),
            next: 0,
            passed: 0,
            changed: (0, now),
            look_at: None,
            world,
        }
    }

    /// Lets a person act, if it is time.
    fn act(&mut self, settled: bool) -> bool {
        let Some(act) = self.scene.acts.get(self.next) else {
            return false;
        };
        let due = match act.when {
            When::Settled => settled,
            When::Once(holds) => holds(&self.world),
        };
        if due {
            self.next += 1;
            self.story.person(&self.world, act.what);
            self.watcher.person(&self.world);
            (act.does)(&mut self.world);
            self.changed = (u64::MAX, self.world.store.now);
            self.watcher.acted(&self.world);
        }
        due
    }

    fn must_pass(&self) -> bool {
        self.passed != self.world.store.version
            || self.look_at.is_some_and(|at| at <= self.world.store.now)
    }

    fn pass(&mut self, most: usize, careful: bool) {
        self.look_at = None;
        let mut wrote = false;
        for name in self.world.sourced() {
            let before = self.world.store.version;
            let Some(pass) = self.world.pass_app_cut(&name, most) else {
                continue;
            };
            self.story.app(&self.world, &name, &pass);
            let again = pass.acted.refused.is_some();
            let again = again.then(|| self.world.store.now + FIRST);
            self.look_at = [self.look_at, pass.plan.next, again]
                .into_iter()
                .flatten()
                .min();
            wrote |= before != self.world.store.version || most < usize::MAX;
        }
        for name in self.world.previews() {
            let before = self.world.store.version;
            let Some(pass) = self.world.pass_preview_cut(&name, most) else {
                continue;
            };
            self.story.preview(&self.world, &name, &pass);
            let acted = &pass.acted;
            let again = acted.again || acted.refused.is_some() || acted.untold.is_some();
            let again = again.then(|| self.world.store.now + jiff::SignedDuration::from_secs(10));
            self.look_at = [self.look_at, pass.plan.next, again]
                .into_iter()
                .flatten()
                .min();
            wrote |= before != self.world.store.version || most < usize::MAX;
        }
        for name in self.world.environments() {
            let before = self.world.store.version;
            let watcher = &mut self.watcher;
            let mut watch = |world: &World, step: &_| watcher.step(world, step);
            let Some(pass) = self.world.pass_watched(&name, most, &mut watch) else {
                continue;
            };
            self.story.pass(&self.world, &name, &pass);
            self.watcher.pass(&self.world, &pass, careful);
            // Nothing turns without a pause while it is refused.
            let refused = pass.acted.refused.as_ref();
            let pause = refused.map(|_| self.world.store.now + FIRST);
            let next = pass.plan.next.max(pass.plan.next.and(pause));
            self.look_at = [self.look_at, next, again(&pass)]
                .into_iter()
                .flatten()
                .min();
            wrote |= before != self.world.store.version || most < usize::MAX;
        }
        // What a pass wrote, the next one looks at; a controller that ended begins with a pass.
        self.passed = if wrote {
            u64::MAX
        } else {
            self.world.store.version
        };
    }

    fn happen(&mut self, which: usize) -> bool {
        let effects = self.world.possible();
        let Some(effect) = effects.get(which % effects.len().max(1)) else {
            return false;
        };
        self.watcher.before(&self.world, effect);
        self.world.happen(effect);
        self.story.effect(&self.world, effect);
        self.watcher.effect(&self.world, effect);
        true
    }

    /// A moment goes by. When nothing has changed for long, the next act begins; without one the scene is over.
    fn wait_or_go_on(&mut self) -> bool {
        let now = self.world.store.now;
        if self.changed.0 != self.world.store.version {
            self.changed = (self.world.store.version, now);
        }
        let works = self.world.store.jobs.values().any(|job| {
            let status = job.status.clone().unwrap_or_default();
            status.conditions.unwrap_or_default().is_empty()
        });
        if works || now.duration_since(self.changed.1).as_secs() < QUIET {
            self.world.wait(1);
            return true;
        }
        self.at_rest();
        self.act(true)
    }

    /// At rest nothing is written, neither by the controller that was here nor by a new one.
    fn at_rest(&mut self) {
        for forget in [false, true] {
            if forget {
                self.world.forget();
            }
            let world = &self.world;
            let all = [
                ("App", world.sourced()),
                ("Preview", world.previews()),
                ("Environment", world.environments()),
            ];
            let all: Vec<_> = all
                .into_iter()
                .flat_map(|(kind, names)| names.into_iter().map(move |name| (kind, name)))
                .collect();
            for (kind, name) in all {
                let version = self.world.store.version;
                let steps = match kind {
                    "App" => self.world.pass_app(&name).map(|pass| pass.plan.steps),
                    "Preview" => self.world.pass_preview(&name).map(|pass| pass.plan.steps),
                    _ => self.world.pass(&name).map(|pass| pass.plan.steps),
                };
                let mut steps = steps.unwrap_or_default();
                // What a Git host does not take, a new controller tries again.
                if self.world.shown.silent || !self.world.shown.refuses.is_empty() {
                    steps.retain(|step| !matches!(step.action, Action::Announce(_)));
                }
                // What the apiserver refuses is tried again, too.
                let refuses = &self.world.refuses;
                let is_refused = |key: Key| {
                    let mut all = refuses.iter();
                    all.any(|(kind, start, _)| {
                        key.kind == kind && key.name.starts_with(start.as_str())
                    })
                };
                steps.retain(|step| !step.action.key().is_some_and(is_refused));
                // Nor what a database does not take.
                if self.world.databases.frozen.is_some() {
                    steps.retain(|step| !step.action.stands_alone());
                }
                assert!(
                    steps.is_empty(),
                    "at rest nothing is written, but {steps:?}\n{}",
                    self.story.text()
                );
                assert_eq!(
                    version,
                    self.world.store.version,
                    "at rest the status stays\n{}",
                    self.story.text()
                );
            }
        }
    }

    fn end(&mut self) -> String {
        let left = self.scene.acts.get(self.next).map(|act| act.what);
        assert_eq!(left, None, "this act never came\n{}", self.story.text());
        (self.scene.end)(&self.world);
        self.story.text()
    }
}

/// When the controller looks again because of what became of its writes.
fn again(pass: &Pass) -> Option<jiff::Timestamp> {
    let soon = pass.acted.again || pass.acted.refused.is_some();
    soon.then(|| pass.seen.now + jiff::SignedDuration::from_secs(10))
}

/// Whether the Environment of the stories is there.
pub fn exists(world: &World) -> bool {
    world
        .environment(SHOP)
        .is_some_and(|environment| environment.uid().is_some())
}

impl Drop for Stage<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let seed = self
                .seed
                .map(|seed| format!(" with seed {seed}"))
                .unwrap_or_default();
            eprintln!("{}{seed}:\n{}", self.scene.name, self.story.text());
        }
    }
}
