//! Small systems of linear equations whose matrix is symmetric and positive definite.

/// Returns what `left⁻¹ · right` is, row by row; each row comes as its part of the left matrix followed by its part of the right.
///
/// `None` where the left matrix is not positive definite. By elimination without pivoting, which such matrices do not need.
pub(super) fn solve(mut rows: Vec<Vec<f64>>) -> Option<Vec<Vec<f64>>> {
    let order = rows.len();
    for column in 0..order {
        let mut pivot_row = std::mem::take(rows.get_mut(column)?);
        let pivot = pivot_row.get(column).copied().filter(|pivot| *pivot > 0.0 && pivot.is_finite())?;
        pivot_row.iter_mut().for_each(|value| *value /= pivot);
        for row in &mut rows {
            let factor = row.get(column).copied().unwrap_or(0.0);
            if factor != 0.0 {
                row.iter_mut().zip(&pivot_row).for_each(|(value, pivot)| *value -= factor * pivot);
            }
        }
        *rows.get_mut(column)? = pivot_row;
    }
    Some(rows.into_iter().map(|row| row.into_iter().skip(order).collect()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn two_equations_by_hand() {
        // 4x + y = 6 and x + 3y = 7 at x = 1, y = 2.
        let solution = solve(vec![vec![4.0, 1.0, 6.0], vec![1.0, 3.0, 7.0]]).unwrap();
        assert!((solution[0][0] - 1.0).abs() < 1e-15 && (solution[1][0] - 2.0).abs() < 1e-15);
    }

    #[test]
    fn singular_and_indefinite_matrices_have_no_solution() {
        assert_eq!(solve(vec![vec![1.0, 1.0, 1.0], vec![1.0, 1.0, 1.0]]), None);
        assert_eq!(solve(vec![vec![-1.0, 1.0]]), None);
        assert_eq!(solve(vec![vec![f64::NAN, 1.0]]), None);
        assert_eq!(solve(vec![]), Some(vec![]));
    }

    proptest! {
        #[test]
        fn solutions_satisfy_their_equations(
            factor in prop::collection::vec(-1.0_f64..1.0, 25), expected in prop::collection::vec(-3.0_f64..3.0, 5),
        ) {
            // A · Aᵀ + I is positive definite.
            let a = |row: usize, column: usize| factor[row * 5 + column];
            let matrix = |i: usize, j: usize| (0..5).map(|k| a(i, k) * a(j, k)).sum::<f64>() + f64::from(u8::from(i == j));
            let row = |i: usize| -> Vec<f64> {
                let right = (0..5).map(|j| matrix(i, j) * expected[j]).sum();
                (0..5).map(|j| matrix(i, j)).chain([right]).collect()
            };
            let solution = solve((0..5).map(row).collect()).unwrap();
            for (row, expected) in solution.iter().zip(&expected) {
                prop_assert!((row[0] - expected).abs() < 1e-10);
            }
        }
    }
}
