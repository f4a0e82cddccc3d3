import torch

from ssl_asr.transducer.joiner import Joiner


def test_a_search_that_joins_pairs_has_the_logits_of_training():
    torch.manual_seed(0)
    joiner = Joiner(6, 4, 7, 5)
    encoded, predicted = torch.randn(2, 3, 6), torch.randn(2, 4, 4)
    logits = joiner(encoded, predicted)
    assert logits.shape == (2, 3, 4, 5)
    pair = joiner.join(joiner.encoder_projection(encoded[1, 2]), joiner.predictor_projection(predicted[1, 3]))
    torch.testing.assert_close(pair, logits[1, 2, 3])


def test_it_is_a_linear_layer_of_the_tanh_of_the_sum():
    torch.manual_seed(0)
    joiner = Joiner(2, 3, 4, 5)
    encoded, predicted = torch.randn(2), torch.randn(3)
    weights = {name: value.detach() for name, value in joiner.named_parameters()}
    total = weights["encoder_projection.weight"] @ encoded + weights["encoder_projection.bias"]
    total = total + weights["predictor_projection.weight"] @ predicted
    wanted = weights["output.weight"] @ total.tanh() + weights["output.bias"]
    torch.testing.assert_close(joiner(encoded[None, None], predicted[None, None])[0, 0, 0], wanted)
