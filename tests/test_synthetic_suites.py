import pytest
from synthetic_suites import run_study


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.parametrize("domain", ["clinical", pytest.param("biomedical", marks=pytest.mark.long)])
def test_the_main_command_finds_the_planted_arrows_and_spends_its_time_on_training(domain, tmp_path):
    study = run_study(domain, 0, tmp_path / domain)
    assert study["planted"] == 4
    assert (study["missed"], study["reversed"], study["wrongly_significant"]) == (0, 0, 0)
    assert study["runs"] == 42
    assert study["share_not_training_once_begun"] <= 0.12
    assert study["share_not_training"] < 0.25  # with imports before and figures after
