# A card


def test_a_card_has_the_figures_of_the_test_rows(case):
    half = len(case.new) // 2
    parts = case.x, case.new[:half], case.new[half:]
    data = datasets.Dataset(*parts, "small digits", "a package", class_names=("a", "b"))
    untrained = cases.built(case)
    card = metrics.model_card(
        [case.sound, untrained], data, "Digits", "short.", "s.png", ["No letters."]
    )
    elbos = [
        -np.sum(metrics.elbo_terms(vae, data.x_test), axis=0).mean()
        for vae in (case.sound, untrained)
    ]
    low, high = sorted(elbos)
    assert f"| ELBO | {np.mean(elbos):.2f} ({low:.2f} to {high:.2f}) |" in card
    constant = -metrics.constant_nats(case.sound, data.x_train, data.x_test).mean()
    by_line = -metrics.linear_nats(case.sound, data.x_train, data.x_test).mean()
    for value, name in ((constant, "a constant"), (by_line, "PCA with as many")):
        assert re.search(rf"\| {name}[^|]*\| {value:.2f} \|", card)
    sizes = f"{len(case.x):,} training, {half} validation, {len(case.new) - half} test"
    for words in (sizes, "# Digits", "Training: short.", "2 seeds", "(s.png)", "a, b"):
        assert words in card
    assert "- No letters." in card and "- grey: " in card
    one = metrics.model_card(case.sound, data, "Digits", "short.")
    assert "one seed" in one and f"| ELBO | {elbos[0]:.2f} |" in one
    with pytest.raises(ValueError, match="none"):
        metrics.model_card([], data, "Digits", "short.")


