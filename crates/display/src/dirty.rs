//! Rectangles, and a short list of them that covers all that changed.

/// A rectangle in pixels of the guest's picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub struct Rect {
    pub x: u16,
    pub y: u16,
    pub width: u16,
    pub height: u16,
}

impl Rect {
    /// A rectangle by its corner and size.
    pub const fn new(x: u16, y: u16, width: u16, height: u16) -> Self {
        Self { x, y, width, height }
    }
    /// Number of pixels.
    pub fn area(self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }
    /// It has no pixels.
    pub fn is_empty(self) -> bool {
        self.width == 0 || self.height == 0
    }
    fn right(self) -> u32 {
        u32::from(self.x) + u32::from(self.width)
    }
    fn bottom(self) -> u32 {
        u32::from(self.y) + u32::from(self.height)
    }
    /// It lies within a picture of this size.
    pub fn fits(self, width: u16, height: u16) -> bool {
        self.right() <= u32::from(width) && self.bottom() <= u32::from(height)
    }
    fn contains(self, other: Self) -> bool {
        self.x <= other.x
            && self.y <= other.y
            && self.right() >= other.right()
            && self.bottom() >= other.bottom()
    }
    /// The smallest rectangle around both. Both must fit a picture (sides of at most 65,535).
    fn around(self, other: Self) -> Self {
        let (x, y) = (self.x.min(other.x), self.y.min(other.y));
        let side = |end: u32, start: u16| u16::try_from(end - u32::from(start)).unwrap_or(u16::MAX);
        Self::new(
            x,
            y,
            side(self.right().max(other.right()), x),
            side(self.bottom().max(other.bottom()), y),
        )
    }
}

/// Most rectangles kept; more are merged, at the cost of some pixels that did not change.
const RECTS_MAX: usize = 16;

/// What changed and was not sent yet.
#[derive(Clone, Debug, Default)]
pub(crate) struct Dirty {
    rects: Vec<Rect>,
}

impl Dirty {
    pub(crate) fn is_empty(&self) -> bool {
        self.rects.is_empty()
    }
    /// Takes all and leaves nothing.
    pub(crate) fn take(&mut self) -> Vec<Rect> {
        std::mem::take(&mut self.rects)
    }
    pub(crate) fn clear(&mut self) {
        self.rects.clear();
    }
    /// Adds a rectangle, merging where that costs little or the list is full.
    pub(crate) fn add(&mut self, rect: Rect) {
        if rect.is_empty() || self.rects.iter().any(|known| known.contains(rect)) {
            return;
        }
        let mut rect = rect;
        // Merging can make another merge worthwhile, so again until none is; each round removes one.
        while let Some(index) = self.best_partner(rect) {
            rect = rect.around(self.rects.swap_remove(index));
        }
        self.rects.retain(|known| !rect.contains(*known));
        self.rects.push(rect);
    }

    fn best_partner(&self, rect: Rect) -> Option<usize> {
        let waste = |known: Rect| {
            known
                .around(rect)
                .area()
                .saturating_sub(known.area() + rect.area())
        };
        let (index, least) = self
            .rects
            .iter()
            .enumerate()
            .map(|(i, known)| (i, waste(*known)))
            .min_by_key(|(_, waste)| *waste)?;
        let cheap = least * 4 <= rect.area() + self.rects[index].area();
        (cheap || self.rects.len() >= RECTS_MAX).then_some(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_added_pixel_stays_covered_and_the_list_short() {
        let mut dirty = Dirty::default();
        let mut added = Vec::new();
        let mut seed = 7_u32;
        for _ in 0..500 {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let rect = Rect::new(
                (seed >> 8) as u16 % 1900,
                (seed >> 16) as u16 % 1000,
                1 + (seed >> 20) as u16 % 40,
                1 + (seed >> 4) as u16 % 40,
            );
            dirty.add(rect);
            added.push(rect);
            assert!(dirty.rects.len() <= RECTS_MAX);
        }
        for rect in added {
            for (x, y) in [
                (rect.x, rect.y),
                (rect.x + rect.width - 1, rect.y + rect.height - 1),
            ] {
                let pixel = Rect::new(x, y, 1, 1);
                assert!(dirty.rects.iter().any(|known| known.contains(pixel)), "{rect:?}");
            }
        }
    }

    #[test]
    fn neighbours_merge_and_distant_ones_do_not() {
        let mut dirty = Dirty::default();
        dirty.add(Rect::new(0, 0, 100, 16));
        dirty.add(Rect::new(0, 16, 100, 16));
        dirty.add(Rect::new(10, 10, 5, 5));
        assert_eq!(dirty.rects, [Rect::new(0, 0, 100, 32)]);
        dirty.add(Rect::new(1000, 900, 10, 10));
        assert_eq!(dirty.rects.len(), 2);
        dirty.add(Rect::new(0, 0, 1920, 1080));
        assert_eq!(dirty.take(), [Rect::new(0, 0, 1920, 1080)]);
        assert!(dirty.is_empty());
    }
}
