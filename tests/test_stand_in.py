import pytest
from stand_ins import run_study


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.parametrize("domain", ["clinical", pytest.param("biomedical", marks=pytest.mark.long)])
def test_the_default_command_finds_the_planted_arrows_and_does_little_but_train(domain, tmp_path):
    study = run_study(domain, 0, tmp_path / domain)
    assert study["planted"] == 4
    assert (study["missed"], study["reversed"], study["wrongly_coloured"]) == (0, 0, 0)
    assert study["runs"] == 42
    assert study["share_not_training_once_begun"] <= 0.12  # its minutes are the machine's: three, or nearly six
    assert study["share_not_training"] < 0.25  # with what is loaded before, and drawn after
