"""Published predictions on lesions of MIAS, as an outside reference of the AUC by lesion.

Malignancy of 119 lesions on 111 films, by a network that was trained on CBIS-DDSM alone, as the
repository hitesh712/leakage-free-mammography (MIT licence) gives it in `out/predictions_main.csv`
at commit fa6312e, seed 2021. Its `out/seed_summary_main.csv` gives the AUC that its author's own
programs found, which agree there with scikit-learn to ten digits.
"""

import numpy as np
import pytest
from sklearn import metrics as reference

from mammoscope.evaluation.brier import brier_values
from mammoscope.evaluation.metrics import binary_figures
from mammoscope.evaluation.roc import auc

PUBLISHED_AUC = 0.7442329873125721
# Film, whether it is malignant, and the published probability of it.
LESIONS = """
001 0 .9024079  002 0 .4630505  005 0 .22234407 005 0 .26553434 010 0 .32247123 012 0 .18815762
013 0 .54325044 015 0 .15870512 017 0 .562481   019 0 .22156137 021 0 .11668537 023 1 .4700466
025 0 .3257573  028 1 .29843038 030 0 .49457312 032 0 .41907844 058 1 .60291106 063 0 .42980203
069 0 .40550512 072 1 .6274975  075 1 .30893514 080 0 .40059087 081 0 .94975835 083 0 .42316842
090 1 .5909623  091 0 .33266446 092 1 .7630337  095 1 .68301237 097 0 .38654214 099 0 .4920208
102 1 .9065337  104 0 .43835905 105 1 .4984765  107 0 .44149318 110 1 .6358917  111 1 .7312387
115 1 .97718585 117 1 .88139546 120 1 .99040985 121 0 .76143485 124 1 .65848875 125 1 .7887023
126 0 .49715012 127 0 .17962645 130 1 .6235691  132 0 .2402536  132 0 .044255048 134 1 .410038
141 1 .49219295 142 0 .13775916 144 0 .5550649  144 1 .34796882 145 0 .7460974  148 1 .93550754
150 0 .710862   152 0 .4677884  155 1 .967968   158 1 .89507693 160 0 .6461661  163 0 .40939307
165 0 .47599012 167 0 .5477536  170 1 .9715649  171 1 .24587409 175 0 .4531288  178 1 .83827275
179 1 .4856451  181 1 .9911465  184 1 .9250437  186 1 .98732144 188 0 .3305878  190 0 .20538649
191 0 .6916872  193 0 .8204468  195 0 .58125323 198 0 .9706097  199 0 .6858755  202 1 .9370175
204 0 .35154277 206 1 .8841692  207 0 .6100559  209 1 .7893735  211 1 .27102545 212 0 .07624083
213 1 .3341267  214 0 .18765725 218 0 .31795615 219 0 .31119594 222 0 .38498276 223 0 .48732904
223 0 .44503748 226 0 .3072667  226 0 .44171724 226 0 .23739135 227 0 .3998601  231 1 .35170138
236 0 .37580076 238 1 .31196898 239 1 .3750059  239 1 .49531412 240 0 .5691775  241 1 .5438058
244 0 .4487321  248 0 .18384758 249 1 .43383574 249 1 .40370068 252 0 .4485926  253 1 .46290424
256 1 .45707783 264 1 .85494345 265 1 .5057731  267 1 .55406046 270 1 .7363285  271 1 .69391865
274 1 .48698014 290 0 .256446   312 0 .21280742 314 0 .47285286 315 0 .551065
"""


@pytest.fixture(scope="module")
def lesions():
    rows = np.array(LESIONS.split()).reshape(-1, 3)
    films, truth, scores = rows[:, 0], rows[:, 1] == "1", rows[:, 2].astype(np.float64)
    assert (len(rows), len(set(films.tolist())), int(truth.sum())) == (119, 111, 51)
    return scores, truth, films


def test_the_area_is_the_published_one(lesions):
    scores, truth, _ = lesions
    assert auc(scores, truth) == pytest.approx(PUBLISHED_AUC, abs=1e-12)


def test_figures_at_half_and_the_brier_score_are_those_of_scikit_learn(lesions):
    scores, truth, films = lesions
    found = binary_figures(scores, truth, films.tolist(), 0.5, resamples=40)
    called = scores >= 0.5
    for name, value in (
        ("accuracy", reference.accuracy_score(truth, called)),
        ("recall", reference.recall_score(truth, called)),
        ("precision", reference.precision_score(truth, called)),
        ("f1", reference.f1_score(truth, called)),
        ("average_precision", reference.average_precision_score(truth, scores)),
    ):
        assert found[name].value == pytest.approx(value, abs=1e-12)
    brier = reference.brier_score_loss(truth, scores)
    assert brier_values(scores, truth).mean() == pytest.approx(brier, abs=1e-12)


def test_the_interval_over_women_holds_the_area_of_all_ten_seeds(lesions):
    # Films 2k - 1 and 2k are one woman, which the published intervals by film do not know.
    scores, truth, films = lesions
    women = [f"mias-{(int(film) + 1) // 2:03d}" for film in films]
    figure = binary_figures(scores, truth, women, 0.5)["auc"]
    assert figure.n_patients == len(set(women)) < 111
    # The smallest and the largest of the ten seeds' areas, and that of their mean score.
    assert figure.low < 0.71280276816609 < 0.7373125720876588 < 0.7502883506343714 < figure.high
